import java.io.*;
import java.math.BigInteger;
import java.net.*;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.*;

/** Collections, streams, threads, exceptions, null checks by faults, sockets, hashes, reflection and the collector. */
public class Program {
    interface Shape { double area(); }
    record Circle(double r) implements Shape { public double area() { return Math.PI * r * r; } }
    record Square(double a) implements Shape { public double area() { return a * a; } }

    static int depth(int n) { return depth(n + 1) + 1; }

    static String missing;

    static long hot(int n) {
        long s = 0;
        for (int i = 0; i < n; i++) s += Integer.bitCount(i) * (long) i % 7;
        return s;
    }

    public static void main(String[] arguments) throws Exception {
        byte[] data = Files.readAllBytes(Path.of("big.txt"));
        System.out.println(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data)));
        System.out.println(BigInteger.TWO.pow(200) + " " + hot(300000));
        System.out.println(Stream.of(new Circle(1), new Square(2)).mapToDouble(Shape::area).sum());
        Map<String, Long> words = Arrays.stream(Files.readString(Path.of("text.txt")).split("\\s+"))
            .collect(Collectors.groupingBy(w -> w, TreeMap::new, Collectors.counting()));
        System.out.println(words);
        try { System.out.println(missing.length()); } catch (NullPointerException e) { System.out.println("null"); }
        try { System.out.println(depth(0)); } catch (StackOverflowError e) { System.out.println("too deep"); }
        try { System.out.println(1 / (data.length - data.length)); } catch (ArithmeticException e) { System.out.println(e.getMessage()); }
        ExecutorService pool = Executors.newFixedThreadPool(3);
        List<Future<Integer>> parts = new ArrayList<>();
        for (int i = 0; i < 20; i++) { int n = i; parts.add(pool.submit(() -> n * n)); }
        int total = 0;
        for (Future<Integer> part : parts) total += part.get();
        pool.shutdown();
        System.out.println(total + " " + IntStream.range(0, 100000).parallel().filter(i -> i % 3 == 0).count());
        ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
        Thread thread = new Thread(() -> {
            try (Socket s = server.accept()) { s.getOutputStream().write("over a socket\n".getBytes()); } catch (IOException e) { e.printStackTrace(); }
        });
        thread.start();
        try (Socket s = new Socket(server.getInetAddress(), server.getLocalPort())) {
            System.out.println(new BufferedReader(new InputStreamReader(s.getInputStream())).readLine());
        }
        thread.join();
        List<byte[]> kept = new ArrayList<>();
        for (int i = 0; i < 20000; i++) { byte[] b = new byte[1024]; b[0] = (byte) i; if (i % 100 == 0) kept.add(b); }
        System.gc();
        System.out.println(kept.stream().mapToInt(b -> b[0]).sum());
        Deflater deflater = new Deflater();
        deflater.setInput(data);
        deflater.finish();
        System.out.println(deflater.deflate(new byte[data.length]) > 0);
        System.out.println(Program.class.getMethod("main", String[].class).getName() + String.format(" %.6f %e", Math.sin(1), 1e-300));
        System.exit(4);
    }
}
