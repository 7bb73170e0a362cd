# The compiler and the program that it made, compiled and interpreted.
home=$(dirname "$(echo /usr/lib/jvm/java-17-openjdk-*/bin/java)")
cp "$SCRIPTS/big/Program.java" .
"$home/javac" -d . Program.java || exit
ls ./*.class
"$home/java" -Xmx128m -XX:+UseSerialGC Program
echo "status $?"
"$home/java" -Xmx128m -Xint Program | tail -n 1
"$home/java" -Xmx128m -XX:+UseG1GC Program | head -n 3
rm -f ./*.class Program.java
