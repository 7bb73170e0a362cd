# Hashes, regular expressions, string building, numeric loops.
my (%count, $sum, $text);
for my $i (1 .. 450000) {
    my $word = sprintf("k%d", $i * 7919 % 1013);
    $count{$word}++;
    $sum += length($word) * ($i & 3);
    $text .= "$word " if $i % 5 == 0;
}
my $hits = () = $text =~ /k(\d)\1\d*\b/g;
$text =~ s/k(\d+)/<$1>/g;
print "$sum $hits ", length($text), " ", join(",", (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 2]), "\n";
