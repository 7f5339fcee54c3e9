-- Sixteen requests in one write.
local batch

init = function()
   local one = {}
   for i = 1, 16 do
      one[i] = wrk.format("GET", "/")
   end
   batch = table.concat(one)
end

request = function()
   return batch
end
