# Hashes, regular expressions, sorting, formats, processes.
open(my $f, '<', 'text.txt') or die "text.txt: $!";
my %n;
while (<$f>) { $n{lc $1}++ while /(\w+)/g }
my @top = sort { $n{$b} <=> $n{$a} || $a cmp $b } keys %n;
print "$_ $n{$_}\n" for @top[0 .. 9];
my @p = grep { my $x = $_; !grep { $x % $_ == 0 } 2 .. sqrt $x } 2 .. 500;
print "@p\n";
printf "%.10f %s %x %e\n", atan2(1, 1) * 4, 2**70, 255, 1 / 3;
my $s = 'the quick brown fox';
(my $t = $s) =~ s/(\w+)/\u$1/g;
print "$t ", scalar reverse($s), ' ', join('|', map { length } split ' ', $s), "\n";
my $pid = fork;
if (!$pid) { exit 7 }
waitpid $pid, 0;
print 'child ', $? >> 8, "\n";
pipe my $r, my $w;
if (!fork) { close $r; print $w "from the child $_\n" for 1 .. 3; exit }
close $w;
print while <$r>;
wait;
$SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 1; select undef, undef, undef, 5 while 1 };
print "caught $@";
print pack('NnA4', 1, 2, 'ab') eq "\0\0\0\1\0\2ab  " ? "packed\n" : "wrong\n";
exit 2;
