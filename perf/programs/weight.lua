-- Tables, sorting, strings, pattern matching.
local t = {}
for i = 1, 400000 do t[i] = (i * 7919) % 1000003 end
table.sort(t)
local s, words = 0, {}
for i = 1, #t do s = (s * 31 + t[i]) % 1000000007 end
for i = 1, 100000 do words[#words + 1] = ("%x"):format(i * 2654435761 % 4294967296) end
print(s, #table.concat(words), select(2, table.concat(words):gsub("f", "g")))
