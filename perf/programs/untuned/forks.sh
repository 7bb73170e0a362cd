# Starts each of five programs sixty times. RUN_BY is empty, or the emulator: qemu-user leaves a program that its guest starts to the host.
i=0
while [ $i -lt 60 ]; do
    line="line $i of the script"
    a=$(echo "$line" | $RUN_BY /bin/sed 's/line/LINE/')
    b=$($RUN_BY /usr/bin/expr $i '*' 7)
    c=$(echo "$line" | $RUN_BY /usr/bin/cut -d' ' -f2-4)
    d=$(echo "$line" | $RUN_BY /bin/grep -c 1)
    e=$($RUN_BY /usr/bin/basename "/a/folder/name$i.txt" .txt)
    echo "$a $b $c $d $e"
    i=$((i + 1))
done
