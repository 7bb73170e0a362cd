/* Quicksort written by hand: recursion, compares, swaps. */
#include <stdio.h>
static int a[1000000];
static void sort(int *lo, int *hi)
{
    while (lo < hi) {
        int pivot = lo[(hi - lo) / 2], *i = lo, *j = hi;
        do {
            while (*i < pivot) i++;
            while (*j > pivot) j--;
            if (i <= j) { int t = *i; *i++ = *j; *j-- = t; }
        } while (i <= j);
        if (j - lo < hi - i) { sort(lo, j); lo = i; } else { sort(i, hi); hi = j; }
    }
}
int main(void)
{
    unsigned seed = 1, sum = 0;
    for (int round = 0; round < 9; round++) {
        for (int i = 0; i < 1000000; i++) { seed = seed * 1664525u + 1013904223u; a[i] = (int)(seed >> 3); }
        sort(a, a + 999999);
        for (int i = 1; i < 1000000; i++) sum += a[i - 1] > a[i];
        sum = sum * 31 + (unsigned)a[500000];
    }
    printf("%u\n", sum);
    return 0;
}
