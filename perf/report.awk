# Makes Markdown of the results of perf/compare: what was aimed at and where QEMU is faster (part=summary), all workloads (part=table), or both.
# One line a workload:
# group, kind, name, native s, qemu s, interpreter s, ours s, compile wait %, native KiB, ours KiB, interpreter MIPS, same|differs

BEGIN { FS = "\t" }

/^#/ { conditions = substr($0, 3); next }

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
    speed = ratio($5, $7)
    beyond = $9 == "-" || $10 == "-" ? "-" : sprintf("%.0f", ($10 - $9) / 1024)
    who = $3 " (" $2 ")"
    rows[++n] = "| " $3 " | " $2 " | " $4 " | " $5 " | " $6 " | " $7 " | **" speed "** | " ratio($4, $7) " | " $8 " | " beyond " |" ($12 == "differs" ? " output differs" : "")
    long = $5 != "-" && $5 >= 1
    if (speed != "-" && speed < 1) {
        slowerRows++
        if (!($3 in slowest)) { order[++slowerNames] = $3; slowest[$3] = fastest[$3] = speed }
        if (speed < slowest[$3]) slowest[$3] = speed
        if (speed > fastest[$3]) fastest[$3] = speed
    }
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
    if ($1 == "true") collect("true wall", $7, who)
}

function mean(name) { return count[name] ? sprintf("%.2f", exp(sum[name] / count[name])) : "-" }

function target(what, aim, reached, met, remark) {
    printf "| %s | %s | %s | %s | %s |\n", what, aim, reached, reached == "-" || aim == "-" ? "-" : met ? "yes" : "no", remark
}

function geometric(what, aim, name) {
    target(what, aim, mean(name), mean(name) >= aim + 0, count[name] ? count[name] " guests, least " sprintf("%.2f", least[name]) ": " leastName[name] : "")
}

# The workloads that QEMU runs faster, the worst first; the range is over the kinds in which it does.
function printSlower(   i, j, name, text) {
    if (!slowerRows) return
    for (i = 2; i <= slowerNames; i++)
        for (j = i; j > 1 && slowest[order[j]] < slowest[order[j - 1]]; j--) { name = order[j]; order[j] = order[j - 1]; order[j - 1] = name }
    for (i = 1; i <= slowerNames; i++) {
        name = order[i]
        text = text (i > 1 ? ", " : "") name " " slowest[name] (fastest[name] != slowest[name] ? " to " fastest[name] : "")
    }
    print ""
    print "**Slower than QEMU** in " slowerRows " of " n " rows (QEMU\047s time divided by ours): " text "."
}

function printSummary() {
    print "Time of qemu-user divided by that of DynaTrans unless it says otherwise; whole processes, start-up and compiling included."
    print ""
    print "| what | target | reached | met | |"
    print "|---|---:|---:|---|---|"
    geometric("integer kernels, geometric mean", "2.0", "integer")
    geometric("floating-point and vector kernels on SSE, geometric mean", "8.0", "sse")
    geometric("floating-point kernels on x87, geometric mean", "2.0", "x87")
    geometric("real programs of more than a second under QEMU, geometric mean", "1.3", "real long")
    target("any single workload of more than a second", "0.8", count["single"] ? sprintf("%.2f", least["single"]) : "-", least["single"] >= 0.8, leastName["single"])
    geometric("native divided by ours, integer kernels, geometric mean", "0.45", "native")
    geometric("self-modifying and code-generating guests, geometric mean", "1.0", "self")
    geometric("system calls, page faults, pipes, fork, geometric mean", "-", "system")
    geometric("cold start: python3 -S -c pass", "0.3", "cold")
    target("busybox true, seconds", "under 0.12", count["true wall"] ? sprintf("%.3f", most["true wall"]) : "-", most["true wall"] < 0.12, "the slower of the two")
    target("waiting for compilations, % of the guest's time", "under 10", count["wait"] ? sprintf("%.1f", most["wait"]) : "-", most["wait"] < 10, mostName["wait"])
    target("resident memory beyond the native run's, MiB", "under 200", count["memory"] ? sprintf("%.0f", most["memory"]) : "-", most["memory"] < 200, mostName["memory"])
    target("interpreter, integer kernels, MIPS, geometric mean", "100", count["mips"] ? sprintf("%.0f", exp(sum["mips"] / count["mips"])) : "-", exp(sum["mips"] / (count["mips"] ? count["mips"] : 1)) >= 100, count["mips"] ? sprintf("%.0f to %.0f", least["mips"], most["mips"]) : "")
    printSlower()
}

function printTable(   i) {
    print "| guest | kind | native s | qemu-user s | interpreter s | DynaTrans s | QEMU / ours | native / ours | compile wait % | MiB beyond native |"
    print "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= n; i++) print rows[i]
}

END {
    if (part != "table") printSummary()
    if (part == "") print ""
    if (part != "summary") printTable()
    print ""
    print conditions "."
}
