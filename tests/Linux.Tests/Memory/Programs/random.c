/* Random sequences of memory calls and accesses, the same for a seed; neighbours that look alike are printed as one. */
#include "memory.h"
static unsigned long long x;
static unsigned rnd(unsigned n) {
    x^=x<<13;
    x^=x>>7;
    x^=x<<17;
    return (unsigned)(x>>11)%n;
}
#define N 24
static char *z;
static int f[3], ro;
static void merged_maps(char *lo, char *hi) {
    FILE*f=fopen("/proc/self/maps", "r");
    char l[512];
    word pa=0, pb=0, po=0;
    char pp[8]="";
    while(1) {
        int e=!fgets(l, 512, f);
        word a=0, b=0, o=0;
        char p[8]="";
        if (!e) {
            sscanf(l, "%lx-%lx %s %lx", &a, &b, p, &o);
            if (!(b>(word)lo&&a<(word)hi))continue;
            if (a<(word)lo)a=(word)lo;
            if (b>(word)hi)b=(word)hi;
            if (!strstr(l, "/tmp")&&!strchr(p, 's'))o=0;
            else o=o|1;
        }
        if (!e&&pb==a&&!strcmp(p, pp)&&((o==0&&po==0)||(o&&po&&o==po+(pb-pa)))) {
            pb=b;
            continue;
        }
        if (pb)printf("  map %lx-%lx %s %lx\n", (long)(pa-(word)base), (long)(pb-(word)base), pp, po);
        if (e)break;
        pa=a;
        pb=b;
        po=o;
        strcpy(pp, p);
    }
    fclose(f);
}
static void dump(void) {
    for (int i=0;i<N;i++) {
        int r=0, w=0;
        volatile char c;
        signal_number=0;
        if (!sigsetjmp(back, 1)) {
            c=z[i*PAGE+8];
            r=1;
        }
        int s1=signal_number, c1=signal_code;
        if (r) {
            signal_number=0;
            if (!sigsetjmp(back, 1)) {
                z[i*PAGE+8]=c;
                w=1;
            }
        }
        if (r)printf("%c%02x ", w?'w':'r', (unsigned char)c);
        else printf("%d/%d ", s1, c1);
    }
    puts("");
    merged_maps(z, z+N*PAGE);
}
static void run(int seed) {
    printf("seed %d\n", seed);
    x=seed*0x9E3779B97F4A7C15ull+1;
    z=hole(N);
    for (int i=0;i<3;i++) {
        f[i]=temporary_file((3+i*3)*PAGE);
        for (int k=0;k<3+i*3;k++) {
            char b[16];
            memset(b, 0x10*(i+1)+k, 16);
            pwrite(f[i], b, 16, k*PAGE);
        }
    }
    char n[64];
    sprintf(n, "/proc/self/fd/%d", f[1]);
    ro=open(n, O_RDONLY);
    for (int st=0;st<120;st++) {
        int op=rnd(16);
        int a=rnd(N), l=1+rnd(5), b=rnd(N);
        if (a+l>N)l=N-a;
        int pr=rnd(8);
        if (pr==4||pr==0&&rnd(2))pr=3;
        long r;
        errno=0;
        printf("[%d %d %d %d] ", a, l, b, pr);
        switch(op) {
            case 0:r=MAP(z+a*PAGE, l*PAGE, pr, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0);
            break;
            case 1:r=MAP(z+a*PAGE, l*PAGE, pr, MAP_SHARED|MAP_ANONYMOUS|MAP_FIXED, -1, 0);
            break;
            case 2: {
                int k=rnd(4);
                r=MAP(z+a*PAGE, l*PAGE, pr, (rnd(2)?MAP_SHARED:MAP_PRIVATE)|MAP_FIXED, k<3?f[k]:ro, rnd(8)*PAGE);
                break;
            }
            case 3:r=munmap(z+a*PAGE, l*PAGE);
            break;
            case 4:case 5:r=mprotect(z+a*PAGE, l*PAGE, pr);
            break;
            case 6: {
                int nl=1+rnd(5);
                if (b+nl>N)nl=N-b;
                r=syscall(SYS_mremap, z+a*PAGE, l*PAGE, nl*PAGE, MREMAP_MAYMOVE|MREMAP_FIXED|0, z+b*PAGE);
                break;
            }
            case 7:r=syscall(SYS_mremap, z+a*PAGE, l*PAGE, l*PAGE, MREMAP_MAYMOVE|MREMAP_FIXED|(rnd(2)?4:0), z+b*PAGE);
            break;
            case 8: {
                int nl=1+rnd(5);
                if (a+nl>N)nl=N-a;
                r=syscall(SYS_mremap, z+a*PAGE, l*PAGE, nl*PAGE, 0, 0);
                break;
            }
            case 9:r=syscall(SYS_mremap, z+a*PAGE, 0, PAGE, MREMAP_MAYMOVE|MREMAP_FIXED, z+b*PAGE);
            break;
            case 10: {
                static const int adv[]={0, 3, 4, 4, 4, 8, 9, 10, 11, 14, 18, 19, 20, 22, 23, 24};
                {
                    int ad=adv[rnd(16)];
                    printf("adv %d ", ad);
                    r=madvise(z+a*PAGE, l*PAGE, ad);
                }
                break;
            }
            case 11:r=ftruncate(f[rnd(3)], rnd(10)*PAGE+rnd(2)*rnd(4096));
            break;
            case 12:case 13:signal_number=0;
            r=0;
            if (!sigsetjmp(back, 1))for(int k=0;k<l;k++) {
                z[(a+k)*PAGE+8]=st;
                r++;
            }
            break;
            case 14: {
                char v[8];
                int k=rnd(3)==0?0:rnd(2)?1:2;
                printf("lk %d ", k);
                r=k==0?mlock(z+a*PAGE, l*PAGE):k==1?munlock(z+a*PAGE, l*PAGE):msync(z+a*PAGE, l*PAGE, rnd(8));
                break;
            }
            case 15: {
                int pid=fork();
                if (!pid) {
                    int q=rnd(3);
                    signal_number=0;
                    if (!sigsetjmp(back, 1)) {
                        for (int k=0;k<l;k++)z[(a+k)*PAGE+8]=0x80|st;
                    }
                    printf("c sig %d ", signal_number);
                    dump();
                    _exit(0);
                }
                int w;
                waitpid(pid, &w, 0);
                r=w;
                break;
            }
        }
        if (r==-1)printf("%d op %d: %s\n", st, op, strerrorname_np(errno));
        else printf("%d op %d: %lx\n", st, op, (word)r>(word)z-100*PAGE&&(word)r<(word)z+100*PAGE?r-(long)z:r);
        dump();
    }
}
int main(int argc, char **argv) {
    init(argc, argv);
    for (int seed=1;seed<=2;seed++) {
        if (!fork()) {
            run(seed);
            _exit(0);
        }
        wait(0);
    }
    return 0;
}
