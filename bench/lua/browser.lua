-- The twelve fields of a browser's request: Host and Connection are wrk's own.
local fields = {
   ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
      .. "(KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
   ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,"
      .. "image/avif,image/webp,image/apng,*/*;q=0.8",
   ["Accept-Encoding"] = "gzip, deflate, br, zstd",
   ["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8",
   ["Cache-Control"] = "max-age=0",
   ["Connection"] = "keep-alive",
   ["Cookie"] = "session=8c1f0b7d5a6e4f3f9f0c; csrftoken=Qw3rTy; theme=dark",
   ["Sec-Fetch-Dest"] = "document",
   ["Sec-Fetch-Mode"] = "navigate",
   ["Sec-Fetch-Site"] = "none",
   ["Upgrade-Insecure-Requests"] = "1",
}
for name, value in pairs(fields) do
   wrk.headers[name] = value
end
