-- Tables, strings, closures, coroutines, integer and floating-point arithmetic.
local function sieve(n)
  local composite, primes = {}, {}
  for i = 2, n do
    if not composite[i] then
      primes[#primes + 1] = i
      for j = i * i, n, i do composite[j] = true end
    end
  end
  return primes
end
local p = sieve(20000)
print(#p, p[#p])

local words = {}
for w in io.open("text.txt"):read("a"):gmatch("%a+") do
  w = w:lower()
  words[w] = (words[w] or 0) + 1
end
local list = {}
for w, n in pairs(words) do list[#list + 1] = { w, n } end
table.sort(list, function(a, b) if a[2] ~= b[2] then return a[2] > b[2] end return a[1] < b[1] end)
for i = 1, 10 do print(list[i][1], list[i][2]) end

local function nbody(steps)
  local b = { { 0, 0, 0, 0, 0, 0, 39.47 }, { 4.84, -1.16, -0.10, 0.60, 2.81, -0.02, 0.037 }, { 8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011 } }
  for _ = 1, steps do
    for i = 1, #b do
      for j = i + 1, #b do
        local dx, dy, dz = b[i][1] - b[j][1], b[i][2] - b[j][2], b[i][3] - b[j][3]
        local d2 = dx * dx + dy * dy + dz * dz
        local mag = 0.001 / (d2 * math.sqrt(d2))
        for k, d in ipairs { dx, dy, dz } do
          b[i][3 + k] = b[i][3 + k] - d * b[j][7] * mag
          b[j][3 + k] = b[j][3 + k] + d * b[i][7] * mag
        end
      end
    end
    for _, v in ipairs(b) do for k = 1, 3 do v[k] = v[k] + 0.001 * v[k + 3] end end
  end
  return b
end
for _, v in ipairs(nbody(2000)) do print(string.format("%.12f %.12f %.12f", v[1], v[2], v[3])) end

local function permutations(a, n)
  n = n or #a
  if n <= 1 then coroutine.yield(table.concat(a)) return end
  for i = 1, n do
    a[n], a[i] = a[i], a[n]
    permutations(a, n - 1)
    a[n], a[i] = a[i], a[n]
  end
end
local count, last = 0, nil
for s in coroutine.wrap(function() permutations { "a", "b", "c", "d", "e", "f" } end) do count, last = count + 1, s end
print(count, last)

print(1 << 62, 7 // 2, -7 // 2, -7 % 3, 2 ^ 0.5, 10 / 3, 1e15, 2 ^ 53, math.maxinteger + 1 == math.mininteger)
print(string.format("%5.2f|%-10s|%q|%x", 3.14159, "left", "quo\"te\n", 3735928559))
print(("hello world"):gsub("o", "0"), ("key=value"):match("(%w+)=(%w+)"), ("x"):rep(5, ","))
print(pcall(error, { code = 1 }), select("#", table.unpack({ 1, nil, 3 }, 1, 3)))
local t = setmetatable({}, { __index = function(_, k) return k * 2 end, __call = function(_, x) return x + 1 end })
print(t[21], t(41))
local h = 0
for i = 1, 200000 do h = (h * 31 + i) & 0xffffffff end
print(h, string.pack("<i4", h - (1 << 31)):byte(1, -1))
for i = 0, 9 do io.write(string.format("%.17g ", math.sin(i) * math.exp(i) / math.log(i + 2))) end
print()
collectgarbage()
print(utf8.char(228, 8364, 128512), utf8.len("äöü"), os.getenv("TZ"), os.date("!%F %T", 1000000000))
os.exit(3)
