-- POST of as many bytes as the first argument says.
init = function(args)
   wrk.method = "POST"
   wrk.body = string.rep("x", tonumber(args[1]))
   wrk.headers["Content-Type"] = "application/octet-stream"
end
