# Word frequencies, columns and formatted numbers.
{ lines++; for (i = 1; i <= NF; i++) { word[tolower($i)]++; total++ } }
FILENAME == "table.csv" { n = split($0, c, ","); for (i = 1; i <= n; i++) column[i] += c[i] }
function power(b, e,  r) { r = 1; while (e > 0) { if (e % 2) r *= b; b *= b; e = int(e / 2) } return r }
END {
    for (w in word) if (word[w] > 20) frequent[++m] = sprintf("%05d %s", word[w], w)
    for (i = 1; i <= m; i++) for (j = i + 1; j <= m; j++) if (frequent[j] > frequent[i]) { t = frequent[i]; frequent[i] = frequent[j]; frequent[j] = t }
    for (i = 1; i <= m && i <= 15; i++) print frequent[i]
    printf "%d lines, %d words, %.3f a line\n", lines, total, total / lines
    for (i = 1; i in column; i++) printf "%d %.6g\n", i, column[i]
    print power(3, 30), substr("substring", 4, 3), index("haystack", "st"), match("aabbb", /b+/), RSTART, RLENGTH
    x = "a.b.c"; gsub(/\./, "-", x); print x, length(x), toupper(x)
    printf "%s %c %o %x %e %g\n", "s", 65, 8, 255, 12345.678, 0.0001
}
