# Records in hashes of hashes, closures, pack and sprintf, sorting by several keys, nested patterns.
use strict;
use warnings;

my ($seed, %sales) = (7);
sub next_number { $seed = ($seed * 1103515245 + 12345) % 2147483648; return $seed >> 8 }
my @towns = map { "town$_" } 1 .. 12;
my @lines;
push @lines, sprintf("%s;%04d-%02d;%d.%02d", $towns[next_number() % 12], 2000 + next_number() % 9, 1 + next_number() % 12, next_number() % 900, next_number() % 100)
    for 1 .. 40000;
for my $line (@lines) {
    next unless $line =~ /^(\w+);(\d{4})-(\d\d);(\d+\.\d\d)$/;
    $sales{$1}{$2}{total} += $4;
    $sales{$1}{$2}{months}{$3}++;
}
my @makers = map { my $n = $_; sub { return $_[0] * $n + 1 } } 1 .. 5;
for my $town (sort { length $a <=> length $b or $a cmp $b } keys %sales) {
    my @years = sort { $sales{$town}{$b}{total} <=> $sales{$town}{$a}{total} or $a <=> $b } keys %{ $sales{$town} };
    my $value = 0;
    $value = $_->($value) for @makers;
    printf "%-7s %s %10.2f %d %d\n", $town, join(",", @years[0 .. 2]), $sales{$town}{ $years[0] }{total}, scalar(keys %{ $sales{$town}{ $years[0] }{months} }), $value;
}
my $packed = join "", map { pack "NnC", next_number(), $_ % 65536, $_ % 256 } 1 .. 5000;
my $sum = 0;
while (length $packed) { my ($n, $s, $c) = unpack "NnC", substr($packed, 0, 7, ""); $sum = ($sum * 31 + $n + $s + $c) % 1000000007 }
print "$sum\n";
