/* Sealed memory files. */
#include "memory.h"
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif
static int mf(long n) {
    int f=memfd_create("x", MFD_ALLOW_SEALING);
    ftruncate(f, n);
    return f;
}
int main(int argc, char **argv) {
    init(argc, argv);
    int f=mf(4*PAGE);
    char *p=mmap(0, 4*PAGE, 3, MAP_SHARED, f, 0);
    base=p;
    ERROR("seal write busy", fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    ERROR("seal shrink", fcntl(f, F_ADD_SEALS, F_SEAL_SHRINK));
    ERROR("shrink", ftruncate(f, PAGE));
    ERROR("grow", ftruncate(f, 8*PAGE));
    ERROR("seal grow", fcntl(f, F_ADD_SEALS, F_SEAL_GROW));
    ERROR("grow", ftruncate(f, 16*PAGE));
    munmap(p, 4*PAGE);
    ERROR("seal write", fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    ERROR("map rw", MAP(0, PAGE, 3, MAP_SHARED, f, 0));
    ERROR("map w", MAP(0, PAGE, 2, MAP_SHARED, f, 0));
    ERROR("map r", MAP(0, PAGE, 1, MAP_SHARED, f, 0));
    char *r=(char*)result;
    if (!IS_ERROR(r)) {
        ERROR("mp w", mprotect(r, PAGE, 3));
        ACCESS("rd", READ(r));
    }
    ERROR("map priv", MAP(0, PAGE, 3, MAP_PRIVATE, f, 0));
    r=(char*)result;
    ACCESS("wr", WRITE(r));
    VALUE("write", write(f, "x", 1));
    VALUE("get", fcntl(f, F_GET_SEALS));
    ERROR("punch", fallocate(f, 3, 0, PAGE));
    ERROR("seal seal", fcntl(f, F_ADD_SEALS, F_SEAL_SEAL));
    ERROR("more", fcntl(f, F_ADD_SEALS, F_SEAL_GROW));
    // ro mapping then seal write
    f=mf(4*PAGE);
    r=mmap(0, 4*PAGE, 1, MAP_SHARED, f, 0);
    ERROR("seal with ro map", fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    ERROR("then w", mprotect(r, PAGE, 3));
    munmap(r, 4*PAGE);
    ERROR("seal later", fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    // future write
    f=mf(4*PAGE);
    p=mmap(0, 4*PAGE, 3, MAP_SHARED, f, 0);
    base=p;
    strcpy(p, "abc");
    ERROR("future", fcntl(f, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    ACCESS("old map wr", WRITE(p+10));
    ERROR("map rw", MAP(0, PAGE, 3, MAP_SHARED, f, 0));
    ERROR("map r", MAP(0, PAGE, 1, MAP_SHARED, f, 0));
    r=(char*)result;
    ERROR("mp", mprotect(r, PAGE, 3));
    strcpy(p, "def");
    printf("%s\n", r);
    VALUE("write", write(f, "x", 1));
    if (!fork()) {
        strcpy(p, "child");
        printf("c %s\n", r);
        _exit(0);
    }
    wait(0);
    printf("%s %s\n", p, r);
    char *m=mremap(p, 4*PAGE, 8*PAGE, MREMAP_MAYMOVE);
    printf("mremap %d\n", m!=MAP_FAILED);
    base=m;
    ACCESS("behind", READ(m+5*PAGE));
    strcpy(m, "moved");
    printf("%s\n", r);
    m=mremap(m, 0, PAGE, MREMAP_MAYMOVE);
    printf("dup %s\n", m);
    strcpy(m, "dup");
    printf("%s\n", r);
    // memfd not sealable
    f=memfd_create("y", 0);
    ERROR("noseal", fcntl(f, F_ADD_SEALS, F_SEAL_WRITE));
    VALUE("getns", fcntl(f, F_GET_SEALS));
    ERROR("seal on file", fcntl(temporary_file(PAGE), F_ADD_SEALS, F_SEAL_WRITE));
    f=memfd_create("z", MFD_NOEXEC_SEAL);
    ERROR("nx map", MAP(0, PAGE, 5, MAP_SHARED, f, 0));
    VALUE("nx seals", fcntl(f, F_GET_SEALS));
    // reopen ro
    f=mf(4*PAGE);
    char path[64];
    sprintf(path, "/proc/self/fd/%d", f);
    int g=open(path, O_RDONLY);
    ERROR("reopen w", MAP(0, PAGE, 3, MAP_SHARED, g, 0));
    ERROR("reopen r", MAP(0, PAGE, 1, MAP_SHARED, g, 0));
    r=(char*)result;
    p=mmap(0, PAGE, 3, MAP_SHARED, f, 0);
    strcpy(p, "seen");
    printf("%s\n", r);
    ERROR("reopen mp", mprotect(r, PAGE, 3));
    return 0;
}
