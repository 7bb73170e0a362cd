/* Memory shared by processes; files that cannot be executed. */
#include "memory.h"
// shared memory among processes, noexec mounts
#include <sys/socket.h>
int main(int argc, char **argv) {
    init(argc, argv);
    int *s=mmap(0, PAGE, 3, MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    for (int i=0;i<4;i++)if(!fork()) {
        for (int k=0;k<10000;k++)__sync_fetch_and_add(s, 1);
        _exit(0);
    }
    while(wait(0)>0);
    printf("%d\n", *s);
    int z=open("/dev/zero", O_RDWR);
    int *zs=mmap(0, PAGE, 3, MAP_SHARED, z, 0);
    *zs=1;
    if (!fork()) {
        *zs=42;
        _exit(0);
    }
    wait(0);
    printf("%d\n", *zs);
    int *pv=mmap(0, PAGE, 3, MAP_PRIVATE, z, 0);
    *pv=1;
    if (!fork()) {
        *pv=42;
        _exit(0);
    }
    wait(0);
    printf("%d\n", *pv);
    int f=temporary_file(2*PAGE);
    int *a=mmap(0, 2*PAGE, 3, MAP_SHARED, f, 0), *b=mmap(0, 2*PAGE, 3, MAP_SHARED, f, 0);
    *a=7;
    printf("%d\n", *b);
    if (!fork()) {
        *b=8;
        a[1024]=9;
        _exit(0);
    }
    wait(0);
    printf("%d %d\n", *a, b[1024]);
    pwrite(f, "\1\0\0\0", 4, 0);
    printf("%d\n", *a);
    int *r=mmap(0, PAGE, 1, MAP_SHARED, f, 0);
    *a=77;
    printf("%d\n", *r);
    int *pr=mmap(0, PAGE, 3, MAP_PRIVATE, f, 0);
    *a=78;
    printf("%d\n", *pr);
    *pr=1;
    *a=79;
    printf("%d %d\n", *pr, *r);
    int sh=open("/dev/shm/mmtest", O_RDWR|O_CREAT, 0600);
    ftruncate(sh, PAGE);
    unlink("/dev/shm/mmtest");
    ERROR("shm exec", MAP(0, PAGE, 5, MAP_PRIVATE, sh, 0));
    ERROR("shm exec shared", MAP(0, PAGE, 7, MAP_SHARED, sh, 0));
    ERROR("shm rw", MAP(0, PAGE, 3, MAP_SHARED, sh, 0));
    ERROR("shm mp x", mprotect((void*)result, PAGE, 5));
    ERROR("sys", MAP(0, PAGE, 1, MAP_PRIVATE, open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY), 0));
    ERROR("etc", MAP(0, PAGE, 5, MAP_PRIVATE, open("/etc/passwd", O_RDONLY), 0));
    ERROR("sock", MAP(0, PAGE, 1, MAP_SHARED, socket(1, 1, 0), 0));
    ERROR("full", MAP(0, PAGE, 1, MAP_PRIVATE, open("/dev/full", O_RDONLY), 0));
    ERROR("urandom", MAP(0, PAGE, 1, MAP_PRIVATE, open("/dev/urandom", O_RDONLY), 0));
    return 0;
}
