<?php
// Arrays, closures, generators, classes, strings, regular expressions, sockets and a child.
declare(strict_types=1);

interface Shape { public function area(): float; }
final class Circle implements Shape
{
    public function __construct(private float $r) {}
    public function area(): float { return M_PI * $this->r ** 2; }
}

function primes(int $n): Generator
{
    for ($i = 2; $i < $n; $i++) {
        for ($j = 2; $j * $j <= $i && $i % $j; $j++);
        if ($j * $j > $i) yield $i;
    }
}

echo implode(' ', iterator_to_array(primes(60), false)), "\n";
printf("%.10f %s\n", (new Circle(2))->area(), md5(file_get_contents('big.txt')));
$words = array_count_values(preg_split('/\s+/', file_get_contents('text.txt'), -1, PREG_SPLIT_NO_EMPTY));
uksort($words, fn ($a, $b) => [$words[$b], $a] <=> [$words[$a], $b]);
print_r(array_slice($words, 0, 4));
var_dump(json_decode(file_get_contents('data.json'), true));
try { intdiv(1, 0); } catch (DivisionByZeroError $e) { echo get_class($e), ': ', $e->getMessage(), "\n"; }
echo hash('sha256', gzcompress(str_repeat('abc', 1000))) !== '' ? 'hashed' : '', ' ', PHP_INT_SIZE * 8 >= 32, "\n";
$server = stream_socket_server('tcp://127.0.0.1:0');
$client = stream_socket_client('tcp://' . stream_socket_get_name($server, false));
$peer = stream_socket_accept($server, 5);
fwrite($client, "across\n");
echo strrev(trim(fgets($peer))), "\n";
echo shell_exec('echo through a shell');
$a = [];
for ($i = 0; $i < 100000; $i++) { $a[] = $i * 7919 % 10007; }
sort($a);
echo array_sum($a), ' ', $a[5000], ' ', crc32(serialize($a)) & 0xffff, "\n";
exit(3);
