-- Upload of as many bytes as the first argument says, from a form.
init = function(args)
   local line = "--limit\r\n"
   wrk.method = "POST"
   wrk.body = line .. 'Content-Disposition: form-data; name="file"; filename="f"\r\n'
      .. "Content-Type: application/octet-stream\r\n\r\n"
      .. string.rep("x", tonumber(args[1])) .. "\r\n--limit--\r\n"
   wrk.headers["Content-Type"] = "multipart/form-data; boundary=limit"
end
