// adjtimex and clock_adjtime: what can be read of the clock's discipline agrees with itself, and its layout with libc's.
#include "common.h"
#include <sys/timex.h>

int main(void)
{
    struct timex t, u;
    memset(&t, 0, sizeof t);
    memset(&u, 0, sizeof u);
    int state = adjtimex(&t);
    int same = clock_adjtime(CLOCK_REALTIME, &u);
    struct timeval now;
    gettimeofday(&now, 0);
    printf("state %d same %d\n", state >= 0 && state <= 5, state == same);
    printf("precision %d tick %d tolerance %d shift %d\n", t.precision == u.precision, t.tick >= 9000 && t.tick <= 11000, t.tolerance == u.tolerance,
        t.shift == u.shift);
    printf("time %d tai %d\n", t.time.tv_sec >= now.tv_sec - 60 && t.time.tv_sec <= now.tv_sec + 60, t.tai == u.tai);
    printf("monotonic %s fault %s\n", outcome(clock_adjtime(CLOCK_MONOTONIC, &u)), outcome(syscall(SYS_adjtimex, 1)));
    return 0;
}
