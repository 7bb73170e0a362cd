/* Matrix product in double precision. */
#include <stdio.h>
#define N 256
static double a[N][N], b[N][N], c[N][N];
int main(void)
{
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) { a[i][j] = i * 0.5 - j; b[i][j] = i + j * 0.25; }
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
    printf("%.17g %.17g\n", c[3][5], c[N - 1][N - 1]);
    return 0;
}
