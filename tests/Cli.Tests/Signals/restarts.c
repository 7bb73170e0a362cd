// A handler that itself sleeps or jumps out while a call is interrupted; signals that are ignored.
#include "common.h"
static int pp[2];
static char log_[200];
static void h(int s)
{
    char b[20];
    sprintf(b, " %d", s);
    strcat(log_, b);
}
static pthread_t me;
static int sigs[2];
static void *t(void *a)
{
    sleep_ms(30);
    sigset_t m;
    for (int i = 0; i < 2; i++)
        if (sigs[i])
            pthread_kill(me, sigs[i]);
    sleep_ms(60);
    write(pp[1], "x", 1);
    return 0;
}
static void hs(int s)
{
    struct timespec q = {0, 10000000};
    nanosleep(&q, 0);
    strcat(log_, " slept");
}
static void hj(int s);
static sigjmp_buf jb;
static void hj(int s)
{
    siglongjmp(jb, 1);
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    me = pthread_self();
    pipe(pp);
    pthread_t x;
    char b;
    for (int k = 0; k < 4; k += 3)
    {
        handle(10, h, k & 1 ? SA_RESTART : 0);
        handle(12, h, k & 2 ? SA_RESTART : 0);
        sigs[0] = 10;
        sigs[1] = 12;
        log_[0] = 0;
        pthread_create(&x, 0, t, 0);
        errno = 0;
        long r = read(pp[0], &b, 1);
        printf("%d: %s%s\n", k, outcome(r), "");
        pthread_join(x, 0);
        if (r < 0)
            read(pp[0], &b, 1);
    }
    handle(10, hs, SA_RESTART);
    sigs[0] = 10;
    sigs[1] = 0;
    log_[0] = 0;
    pthread_create(&x, 0, t, 0);
    struct timespec q = {0, 200000000}, rem = {0};
    long r = nanosleep(&q, &rem);
    printf("nanosleep with sleeping handler %s%s rem %d\n", outcome(r), log_, rem.tv_nsec > 0);
    pthread_join(x, 0);
    read(pp[0], &b, 1);
    handle(10, hs, SA_RESTART);
    pthread_create(&x, 0, t, 0);
    log_[0] = 0;
    r = read(pp[0], &b, 1);
    printf("read with sleeping handler %s%s\n", outcome(r), log_);
    pthread_join(x, 0);
    handle(10, hj, SA_RESTART);
    pthread_create(&x, 0, t, 0);
    if (!sigsetjmp(jb, 1))
    {
        read(pp[0], &b, 1);
        puts("read?");
    }
    else
        puts("jumped");
    pthread_join(x, 0);
    printf("%s\n", outcome(read(pp[0], &b, 1)));
    // default-ignored and SIG_IGN signals do not interrupt
    signal(10, SIG_IGN);
    pthread_create(&x, 0, t, 0);
    printf("ign read %s\n", outcome(read(pp[0], &b, 1)));
    pthread_join(x, 0);
    sigs[0] = SIGWINCH;
    pthread_create(&x, 0, t, 0);
    q = (struct timespec){0, 60000000};
    printf("winch nanosleep %s\n", outcome(nanosleep(&q, 0)));
    pthread_join(x, 0);
    read(pp[0], &b, 1);
    return 0;
}
