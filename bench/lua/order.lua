-- POST of about 1 KiB of JSON to the validated route.
init = function(args)
   local item = '{"id": 7, "name": "a thing with a name", "tags": ["a", "b", "c"]}'
   local items = string.rep(item .. ", ", 13) .. item
   wrk.method = "POST"
   wrk.body = '{"customer": "somebody", "note": "none", "items": [' .. items .. "]}"
   wrk.headers["Content-Type"] = "application/json"
end
