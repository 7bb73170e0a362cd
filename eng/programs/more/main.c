#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

double sum(const double *x, int n);

static _Thread_local int t;
static jmp_buf out;

static void *work(void *p)
{
    for (int i = 0; i < 1000; i++)
        t += i;
    return (void *)(long)(t + *(int *)p);
}

static void on_fault(int number)
{
    (void)number;
    longjmp(out, 1);
}

int main(int argc, char **argv)
{
    double x[100];
    for (int i = 0; i < 100; i++)
        x[i] = sqrt(i) + sin(i);
    printf("%.12g\n", sum(x, 100));
    pthread_t threads[4];
    int numbers[4];
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, work, &numbers[i]);
    }
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("%ld ", (long)result);
    }
    void *library = dlopen("./plug.so", RTLD_NOW);
    int (*plug)(int) = (int (*)(int))dlsym(library, "plug");
    printf("%d\n", plug(14));
    signal(SIGSEGV, on_fault);
    if (setjmp(out) == 0)
        *(volatile int *)8 = 1;
    printf("back after a fault, %d arguments, last %s\n", argc - 1, argc > 1 ? argv[argc - 1] : "none");
    return 0;
}
