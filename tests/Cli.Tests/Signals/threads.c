// Which thread a signal of the process goes to, sigwait, pthread_cancel.
#include "common.h"
static volatile int got;
static void await(int n)
{
    for (int w = 0; got < n && w < 2000; w++)
        sleep_ms(1);
}
static volatile pthread_t who;
static void h(int s)
{
    who = pthread_self();
    got++;
}
static volatile int go;
static void *t1(void *a)
{
    change_mask(SIG_UNBLOCK, SIGUSR1);
    go = 1;
    while (go < 2)
        sleep_ms(1);
    return 0;
}
static void *wt(void *a)
{
    sigset_t m;
    sigemptyset(&m);
    sigaddset(&m, SIGUSR2);
    int s;
    sigwait(&m, &s);
    __sync_fetch_and_add(&got, 1);
    return 0;
}
static void clean(void *a)
{
    printf("cleanup %s\n", (char *)a);
}
static void *can(void *a)
{
    pthread_cleanup_push(clean, "pause");
    pause();
    pthread_cleanup_pop(0);
    return 0;
}
static void *can2(void *a)
{
    pthread_cleanup_push(clean, "read");
    int p[2];
    pipe(p);
    char b;
    read(p[0], &b, 1);
    pthread_cleanup_pop(0);
    return 0;
}
static void *can3(void *a)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0);
    for (;;)
        ;
    return 0;
}
static void *can4(void *a)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, 0);
    sleep_ms(50);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, 0);
    pthread_testcancel();
    return (void *)5;
}
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mx = PTHREAD_MUTEX_INITIALIZER;
static void um(void *a)
{
    pthread_mutex_unlock(&mx);
    puts("cond cleanup");
}
static void *can5(void *a)
{
    pthread_mutex_lock(&mx);
    pthread_cleanup_push(um, 0);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 100;
    pthread_cond_timedwait(&cv, &mx, &t);
    pthread_cleanup_pop(1);
    return 0;
}
int main()
{
    setvbuf(stdout, 0, _IONBF, 0);
    handle(SIGUSR1, h, 0);
    change_mask(SIG_BLOCK, SIGUSR1);
    change_mask(SIG_BLOCK, SIGUSR2);
    pthread_t t;
    pthread_create(&t, 0, t1, 0);
    while (!go)
        sleep_ms(1);
    kill(getpid(), SIGUSR1);
    await(1);
    printf("got %d by thread %d\n", got, who == t);
    // retarget: pending in the process while all block it; then one unblocks
    go = 2;
    pthread_join(t, 0);
    got = 0;
    kill(getpid(), SIGUSR1);
    sleep_ms(5);
    printf("got %d\n", got);
    pthread_create(&t, 0, t1, 0);
    go = 1;
    await(1);
    printf("after a thread unblocks %d\n", got);
    go = 2;
    pthread_join(t, 0);
    got = 0;
    pthread_t w[4];
    for (int i = 0; i < 4; i++)
        pthread_create(w + i, 0, wt, 0);
    sleep_ms(30);
    for (int i = 0; i < 4; i++)
    {
        kill(getpid(), SIGUSR2);
        await(i + 1);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(w[i], 0);
    printf("sigwaiters %d\n", got);
    void *(*f[])(void *) = {can, can2, can3, can4, can5};
    for (int i = 0; i < 5; i++)
    {
        pthread_create(&t, 0, f[i], 0);
        sleep_ms(20);
        pthread_cancel(t);
        void *r;
        pthread_join(t, &r);
        printf("cancel %d: %d\n", i, r == PTHREAD_CANCELED);
    }
    // signal to exited thread, tgkill errors
    printf("tgkill %s %s %s %s\n", outcome(syscall(SYS_tgkill, getpid(), getpid(), 65)), outcome(syscall(SYS_tgkill, 0, getpid(), 0)),
        outcome(syscall(SYS_tgkill, getpid(), 1, 0)), outcome(syscall(SYS_tkill, -1, 0)));
    // thread exit with signals pending for the process goes to others
    return 0;
}
