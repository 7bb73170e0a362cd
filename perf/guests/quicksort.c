/* Quicksort on an array by indexes, Lomuto's partition, insertion sort for short parts. */
#include <stdio.h>
static int a[200000];
static void insertion(int *v, int lo, int hi)
{
    for (int i = lo + 1; i <= hi; i++) {
        int x = v[i], j = i - 1;
        while (j >= lo && v[j] > x) { v[j + 1] = v[j]; j--; }
        v[j + 1] = x;
    }
}
static void quick(int *v, int lo, int hi)
{
    while (hi - lo > 12) {
        int mid = lo + (hi - lo) / 2, pivot = v[mid], at = lo;
        v[mid] = v[hi];
        for (int i = lo; i < hi; i++)
            if (v[i] < pivot) { int t = v[i]; v[i] = v[at]; v[at++] = t; }
        v[hi] = v[at];
        v[at] = pivot;
        if (at - lo < hi - at) { quick(v, lo, at - 1); lo = at + 1; } else { quick(v, at + 1, hi); hi = at - 1; }
    }
    insertion(v, lo, hi);
}
int main(void)
{
    unsigned seed = 7, sum = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 200000; i++) { seed = seed * 1664525u + 1013904223u; a[i] = (int)(seed >> 2); }
        quick(a, 0, 199999);
        for (int i = 1; i < 200000; i++) sum += a[i - 1] > a[i];
        sum = sum * 31 + (unsigned)a[100000];
    }
    printf("%u\n", sum);
    return 0;
}
