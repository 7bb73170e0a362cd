/* Mandelbrot set in double precision. */
#include <stdio.h>
int main(void)
{
    unsigned long inside = 0;
    for (int py = 0; py < 1600; py++)
        for (int px = 0; px < 400; px++) {
            double cr = px / 160.0 - 2, ci = py / 800.0 - 1, r = 0, i = 0;
            int n = 0;
            while (n < 300 && r * r + i * i < 4) { double t = r * r - i * i + cr; i = 2 * r * i + ci; r = t; n++; }
            inside += n;
        }
    printf("%lu\n", inside);
    return 0;
}
