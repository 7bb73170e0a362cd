# Classes, blocks, hashes, strings, integers of many digits.
Shape = Struct.new(:name, :points) do
  def area
    points.each_index.sum { |i| points[i - 1][0] * points[i][1] - points[i][0] * points[i - 1][1] } / 2.0
  end
end

seed = 5
number = -> { (seed = (seed * 1103515245 + 12345) % 2**31) >> 8 }
shapes = (1..4000).map { |i| Shape.new("shape#{i % 50}", Array.new(3 + i % 5) { [number.call % 100, number.call % 100] }) }
groups = shapes.group_by(&:name).transform_values { |list| list.sum(&:area).round(1) }
puts groups.sort_by { |name, area| [-area, name] }.first(4).inspect
words = shapes.flat_map { |shape| shape.name.scan(/\d|[aeiou]/) }.tally
puts words.sort.inspect, (1..400).inject(:*).digits.sum, shapes.map { |s| format("%s:%d", s.name, s.points.size) }.uniq.size
puts (0..20).lazy.select(&:even?).map { |x| x * x }.reject { |x| x % 3 == 0 }.first(5).inspect
