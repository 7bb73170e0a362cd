# Threads, fibers, collections, big numbers, exceptions, processes and the collector.
require 'digest'
require 'json'
require 'set'
require 'socket'
require 'zlib'

Point = Struct.new(:x, :y) { def +(other) = Point.new(x + other.x, y + other.y) }
puts (1..5).map { |i| Point.new(i, i * i) }.reduce(:+).inspect
puts 2**200, 100.downto(95).to_a.inspect, (1..30).reduce(:*)
queue = Queue.new
threads = 4.times.map { |n| Thread.new { 100.times { |i| queue << n * i } } }
threads.each(&:join)
puts queue.size
fib = Fiber.new { a, b = 0, 1; loop { Fiber.yield a; a, b = b, a + b } }
puts 20.times.map { fib.resume }.join(' ')
words = File.read('text.txt').split.tally.sort_by { |w, n| [-n, w] }.first(5)
puts words.to_h.to_json, JSON.parse(File.read('data.json')).to_s
data = File.binread('big.txt')
puts Digest::SHA256.hexdigest(data), Zlib::Inflate.inflate(Zlib::Deflate.deflate(data)) == data
begin
  Integer('no')
rescue ArgumentError => e
  puts e.message
end
server = TCPServer.new('127.0.0.1', 0)
answer = Thread.new { client = server.accept; client.puts client.gets.reverse; client.close }
socket = TCPSocket.new('127.0.0.1', server.addr[1])
socket.puts 'backwards'
puts socket.read.strip
answer.join
pid = fork { exit 7 }
Process.wait pid
puts $?.exitstatus, `echo through a shell`
200_000.times { |i| "garbage #{i}" }
GC.start
trap('USR1') { puts 'signal' }
Process.kill('USR1', Process.pid)
sleep 0.1
puts '%.10f %e' % [Math.atan2(1, 3), 1e-30], Set[3, 1, 2].sort.inspect, 'été'.unicode_normalize(:nfd).length
