# Makes Markdown of the results of perf/compare: what was aimed at and where QEMU is faster (part=summary), all workloads (part=table), or both.
# One line a workload:
# group, kind, name, native s, qemu s, interpreter s, ours s, compile wait %, native KiB, ours KiB, interpreter MIPS, same|differs, first s, second s,
# CPU s of cache build, instructions that it compiled, regions
# Ours is without a translation cache; first with an empty one, second with what was built of the first. The last five are missing in older files.

BEGIN { FS = "\t" }

/^#/ { if (index(conditions, substr($0, 3)) == 0) conditions = conditions (conditions == "" ? "" : "; ") substr($0, 3); next }

function ratio(a, b) { return a == "-" || b == "-" || b == 0 ? "-" : sprintf("%.2f", a / b) }

function collect(name, value, worst) {
    if (value == "-" || value <= 0) return
    value += 0
    sum[name] += log(value)
    count[name]++
    if (!(name in least) || value < least[name]) { least[name] = value; leastName[name] = worst }
    if (!(name in most) || value > most[name]) { most[name] = value; mostName[name] = worst }
}

{
    for (i = 13; i <= 17; i++) if ($i == "") $i = "-"
    speed = ratio($5, $7)
    first = ratio($5, $13)
    second = ratio($5, $14)
    cost = $15 == "-" || $16 == "-" || $16 == 0 ? "-" : sprintf("%.1f", $15 / $16 * 1e6)
    beyond = $9 == "-" || $10 == "-" ? "-" : sprintf("%.0f", ($10 - $9) / 1024)
    who = $3 " (" $2 ")"
    rows[++n] = "| " $3 " | " $2 " | " $4 " | " $5 " | " $6 " | " $7 " | " $13 " | " $14 " | **" speed "** | **" first "** | **" second "** | " ratio($4, $7) " | " \
        $8 " | " beyond " | " $15 " | " cost " |" ($12 == "differs" ? " output differs" : "")
    long = $5 != "-" && $5 >= 1
    slower("ours", speed, $3)
    slower("first", first, $3)
    slower("second", second, $3)
    small = $1 == "small" || $1 == "cold"
    collect("first " $1, first, who)
    collect("second " $1, second, who)
    if (small) collect("second starts", second, who)
    if (small) collect("starts", speed, who)
    if ($16 != "-") { built += $15; compiled += $16; collect("cost", cost, who) }
    collect($1, speed, who)
    if ($1 == "real" && long) collect("real long", speed, who)
    if (long) {
        collect("single", speed, who)
        if ($8 != "-") collect("wait", $8 + 0.001, who)
        if (beyond != "-") collect("memory", beyond, who)
    }
    if ($1 == "integer") {
        collect("native", ratio($4, $7), who)
        collect("mips", $11, who)
    }
    if ($1 == "true") collect("true wall", $14 != "-" ? $14 : $7, who)
    if ($3 == "cc1-O2") collect("mips cc1", $11, who)
}

function mean(name) { return count[name] ? sprintf("%.2f", exp(sum[name] / count[name])) : "-" }

function target(what, aim, reached, met, remark) {
    printf "| %s | %s | %s | %s | %s |\n", what, aim, reached, reached == "-" || aim == "-" ? "-" : met ? "yes" : "no", remark
}

function geometric(what, aim, name) {
    target(what, aim, mean(name), mean(name) >= aim + 0, count[name] ? count[name] " guests, least " sprintf("%.2f", least[name]) ": " leastName[name] : "")
}

# How often QEMU is faster than DynaTrans in a mode, and by which workloads; the range is over the kinds in which it is.
function slower(mode, speed, name) {
    if (speed == "-") return
    counted[mode]++
    if (speed >= 1) return
    slowerRows[mode]++
    if (!((mode, name) in slowest)) { order[mode, ++slowerNames[mode]] = name; slowest[mode, name] = fastest[mode, name] = speed }
    if (speed < slowest[mode, name]) slowest[mode, name] = speed
    if (speed > fastest[mode, name]) fastest[mode, name] = speed
}

# These, the worst first.
function printSlower(mode, title,   i, j, name, text) {
    if (!slowerRows[mode]) return
    for (i = 2; i <= slowerNames[mode]; i++)
        for (j = i; j > 1 && slowest[mode, order[mode, j]] < slowest[mode, order[mode, j - 1]]; j--) {
            name = order[mode, j]
            order[mode, j] = order[mode, j - 1]
            order[mode, j - 1] = name
        }
    for (i = 1; i <= slowerNames[mode]; i++) {
        name = order[mode, i]
        text = text (i > 1 ? ", " : "") name " " slowest[mode, name] (fastest[mode, name] != slowest[mode, name] ? " to " fastest[mode, name] : "")
    }
    print ""
    print "**Slower than QEMU**, " title ", in " slowerRows[mode] " of " counted[mode] " rows (QEMU\047s time divided by ours): " text "."
}

# The least of a group.
function floor(what, aim, name) {
    target(what, aim, count[name] ? sprintf("%.2f", least[name]) : "-", least[name] >= aim + 0, leastName[name])
}

function printCache() {
    geometric("second and later runs: untuned programs, geometric mean", "1.8", "second untuned")
    floor("the least of them", "1.0", "second untuned")
    geometric("second and later runs: real programs, geometric mean", "2.0", "second real")
    floor("the least of them", "1.0", "second real")
    geometric("second and later runs: python3 -S -c pass, perl -e 1, git --version, lua -v", "1.2", "second starts")
    geometric("first runs: untuned programs, geometric mean", "1.0", "first untuned")
    floor("the least of them", "0.7", "first untuned")
    geometric("first runs: real programs, geometric mean", "1.6", "first real")
    floor("the least of them", "0.85", "first real")
    floor("first run: a shell script with 300 starts of five programs", "1.0", "first script")
    geometric("without a cache: untuned programs, geometric mean", "-", "untuned")
    geometric("without a cache: real programs, geometric mean", "-", "real")
    geometric("without a cache: python3 -S -c pass, perl -e 1, git --version, lua -v", "-", "starts")
    geometric("without a cache: the shell script", "-", "script")
    target("cache build, \302\265s of CPU a guest instruction", "under 60", compiled ? sprintf("%.1f", built / compiled * 1e6) : "-", compiled && built / compiled < 60e-6, \
        compiled ? "of each program by itself at most " most["cost"] ": " mostName["cost"] : "")
}

function printSummary() {
    print "Time of qemu-user divided by that of DynaTrans unless it says otherwise; whole processes, start-up and compiling included, without a translation cache unless it says so."
    print ""
    print "| what | target | reached | met | |"
    print "|---|---:|---:|---|---|"
    geometric("integer kernels, geometric mean", "2.0", "integer")
    floor("the least of them", "0.95", "integer")
    geometric("floating-point and vector kernels on SSE, geometric mean", "8.0", "sse")
    geometric("floating-point kernels on x87, geometric mean", "2.0", "x87")
    geometric("real programs of more than a second under QEMU, geometric mean", "1.3", "real long")
    target("any single workload of more than a second", "0.8", count["single"] ? sprintf("%.2f", least["single"]) : "-", least["single"] >= 0.8, leastName["single"])
    geometric("native divided by ours, integer kernels, geometric mean", "0.45", "native")
    geometric("self-modifying and code-generating guests, geometric mean", "1.0", "self")
    geometric("system calls, page faults, pipes, fork, geometric mean", "-", "system")
    geometric("cold start: python3 -S -c pass", "0.3", "cold")
    target("busybox true, seconds", "0.045", count["true wall"] ? sprintf("%.3f", most["true wall"]) : "-", most["true wall"] <= 0.045, "the slower of the two")
    target("waiting for compilations, % of the guest's time", "under 10", count["wait"] ? sprintf("%.1f", most["wait"]) : "-", most["wait"] < 10, mostName["wait"])
    target("resident memory beyond the native run's, MiB", "under 200", count["memory"] ? sprintf("%.0f", most["memory"]) : "-", most["memory"] < 200, mostName["memory"])
    target("interpreter, integer kernels, MIPS, geometric mean", "300", count["mips"] ? sprintf("%.0f", exp(sum["mips"] / count["mips"])) : "-", exp(sum["mips"] / (count["mips"] ? count["mips"] : 1)) >= 300, count["mips"] ? sprintf("%.0f to %.0f", least["mips"], most["mips"]) : "")
    target("interpreter, cc1 -O2, MIPS", "120", count["mips cc1"] ? sprintf("%.0f", least["mips cc1"]) : "-", least["mips cc1"] >= 120, leastName["mips cc1"])
    printCache()
    printSlower("second", "second runs")
    printSlower("first", "first runs")
    printSlower("ours", "without a cache")
}

function printTable(   i) {
    print "| guest | kind | native s | qemu-user s | interpreter s | DynaTrans s | first run s | second run s | QEMU / ours | QEMU / first | QEMU / second | native / ours | compile wait % | MiB beyond native | build s | \302\265s an instruction |"
    print "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= n; i++) print rows[i]
}

END {
    if (part != "table") printSummary()
    if (part == "") print ""
    if (part != "summary") printTable()
    print ""
    print conditions "."
}
