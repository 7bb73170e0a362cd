/* Planets that attract each other: double precision, square roots, divisions. */
#include <math.h>
#include <stdio.h>
static double x[5][3], v[5][3], m[5];
int main(void)
{
    for (int i = 0; i < 5; i++) {
        m[i] = i ? 0.01 / i : 39.47;
        for (int d = 0; d < 3; d++) { x[i][d] = i ? i * 3.1 + d * 0.7 : 0.1 * d; v[i][d] = i ? (d - 1) * 0.9 / i : 0; }
    }
    for (int step = 0; step < 1500000; step++) {
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                double dx = x[i][0] - x[j][0], dy = x[i][1] - x[j][1], dz = x[i][2] - x[j][2];
                double d2 = dx * dx + dy * dy + dz * dz, mag = 0.001 / (d2 * sqrt(d2));
                v[i][0] -= dx * m[j] * mag; v[i][1] -= dy * m[j] * mag; v[i][2] -= dz * m[j] * mag;
                v[j][0] += dx * m[i] * mag; v[j][1] += dy * m[i] * mag; v[j][2] += dz * m[i] * mag;
            }
        for (int i = 0; i < 5; i++) for (int d = 0; d < 3; d++) x[i][d] += 0.001 * v[i][d];
    }
    printf("%.15g %.15g\n", x[0][0], v[4][2]);
    return 0;
}
