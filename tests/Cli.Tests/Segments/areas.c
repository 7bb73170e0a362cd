// set_thread_area and get_thread_area, limits of FS and GS, and handlers of 32-bit code set by a 64-bit program.
#include "segments.h"

static long call32(long number, long b, long c, long d, long si)
{
    long result;
#ifdef __x86_64__
    asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(b), "c"(c), "d"(d), "S"(si) : "memory");
#else
    asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(b), "c"(c), "d"(d), "S"(si) : "memory");
#endif
    return (int)result;
}

static struct user_desc *area; // below 4 GiB

static int set_area(int entry, unsigned base, unsigned limit, int is32, int contents, int read_only, int pages, int absent)
{
    memset(area, 0, sizeof(*area));
    area->entry_number = entry;
    area->base_addr = base;
    area->limit = limit;
    area->seg_32bit = is32;
    area->contents = contents;
    area->read_exec_only = read_only;
    area->limit_in_pages = pages;
    area->seg_not_present = absent;
    area->useable = 1;
    return call32(243, (long)area, 0, 0, 0);
}

static void show(int entry)
{
    memset(area, 0x55, sizeof(*area));
    area->entry_number = entry;
    int result = call32(244, (long)area, 0, 0, 0);
    printf("  entry %d: %d", entry, result);
    if (result == 0)
        printf(" base %x limit %x flags %x", area->base_addr, area->limit, ((unsigned *)area)[3] & 0xFF);
    printf("\n");
}

// The register that the library does not use.
#ifdef __x86_64__
#define FS "%gs"
#else
#define FS "%fs"
#endif

CODE32(fs_load, "mov %ecx, %ebx; mov %edx, " FS "; mov " FS ":(%eax), %eax");
CODE32(fs_store, "mov %edx, " FS "; mov %ecx, " FS ":(%eax)");
CODE32(fs_loop, "mov %edx, " FS "; xor %ebx, %ebx; 1: add " FS ":(%eax), %ebx; rol $1, %ebx; incl " FS ":4(%eax); xadd %ebx, " FS ":8(%eax); loop 1b; mov %ebx, %eax");
CODE32(fs_string, "push %ds; push %es; mov %ss, %esi; mov %esi, %es; mov %edx, " FS "; mov %eax, %esi; mov %esp, %edi; sub $0x1000, %edi; rep movsb " FS ":(%esi), %es:(%edi); mov %ecx, %eax; pop %es; pop %ds");
CODE32(fs_x87, "mov %edx, " FS "; fldl " FS ":(%eax); fld1; faddp; fistpl " FS ":8(%eax); mov " FS ":8(%eax), %eax");

static void entries(void)
{
    int first = set_area(-1, 0x1000, 5, 1, 0, 0, 0, 0);
    printf("first free %d %d %d\n", first, area->entry_number >= 12, set_area(-1, 0x2000, 6, 1, 0, 0, 0, 0));
    printf("outside %d %d %d\n", set_area(11, 0, 1, 1, 0, 0, 0, 0), set_area(15, 0, 1, 1, 0, 0, 0, 0), set_area(-2, 0, 1, 1, 0, 0, 0, 0));
    printf("kinds %d %d %d %d %d %d\n", set_area(14, 0, 1, 0, 0, 0, 0, 0), set_area(14, 0, 1, 1, 1, 0, 0, 0), set_area(14, 0, 1, 1, 2, 0, 0, 0),
           set_area(14, 0, 1, 1, 3, 0, 0, 0), set_area(14, 0, 1, 1, 0, 0, 0, 1), set_area(14, 0x123456, 0x789, 1, 0, 1, 1, 0));
    printf("bad address %d %d\n", (int)call32(243, 8, 0, 0, 0), (int)call32(244, 8, 0, 0, 0));
    show(14);
    show(11);
    memset(area, 0, sizeof(*area));
    area->entry_number = 14;
    printf("emptied %d\n", (int)call32(243, (long)area, 0, 0, 0));
    show(14);
}

static void limits(void)
{
    unsigned offsets[] = {0, 0x7C, 0x7D, 0x7F, 0x80, 0xFFFFFFFE};
    for (int kind = 0; kind < 4; kind++)
        for (int i = 0; i < 6; i++)
        {
            // What wraps around at 4 GiB is up to the processor.
            if (kind == 3 && i == 5)
                continue;
            set_area(14, ADDRESS(low + 0x4000), kind == 3 ? 0xFFFFF : 0x7F, 1, kind == 1, kind == 2, kind == 3, 0);
            *(unsigned *)(low + 0x4000 + (offsets[i] & 0xFF)) = 100 + i;
            printf("kind %d offset %x\n", kind, offsets[i]);
            TRY(printf("  read %x\n", call_far(0x23, ADDRESS(fs_load), offsets[i], 0, 14 << 3 | 3)));
            TRY(printf("  written %x\n", call_far(0x23, ADDRESS(fs_store), offsets[i], 7, 14 << 3 | 3)));
        }

    puts("null");
    TRY(call_far(0x23, ADDRESS(fs_load), 0, 0, 0));
    TRY(call_far(0x23, ADDRESS(fs_store), 0, 0, 3));
    memset(low + 0x4000, 1, 0x100);
    set_area(14, ADDRESS(low + 0x4000), 0x4B, 1, 0, 0, 0, 0);
    printf("loop %x\n", call_far(0x23, ADDRESS(fs_loop), 0x40, 1500000, 14 << 3 | 3));
    puts("beyond it");
    TRY(call_far(0x23, ADDRESS(fs_loop), 0x41, 1500000, 14 << 3 | 3));
    printf("string %x\n", call_far(0x23, ADDRESS(fs_string), 0x40, 0xC, 14 << 3 | 3));
    TRY(call_far(0x23, ADDRESS(fs_string), 0x40, 0xD, 14 << 3 | 3));
    *(double *)(low + 0x4040) = 41;
    printf("x87 %d\n", call_far(0x23, ADDRESS(fs_x87), 0x40, 0, 14 << 3 | 3));
    TRY(call_far(0x23, ADDRESS(fs_x87), 0x41, 0, 14 << 3 | 3));
}

// Of the i386 interface: a handler with a frame and code of 32 bits.
CODE32(raise32, "mov %eax, %ebx; mov %edx, %ecx; mov $37, %eax; int $0x80; mov $0x12345, %eax");
asm(".pushsection .text; .code32; handler: mov 4(%esp), %eax; mov %cs, %ecx; shl $16, %ecx; or %ecx, %eax; mov %eax, received; ret; "
    "restorer: pop %eax; mov $119, %eax; int $0x80; " RESTORE_MODE "; .popsection");
extern char handler[], restorer[];
unsigned received;

static void handlers(void)
{
    unsigned *action = (unsigned *)(low + 0x6000); // handler, flags, restorer, mask
    action[0] = ADDRESS(handler);
    action[1] = 0x04000000;
    action[2] = ADDRESS(restorer);
    action[3] = action[4] = 0;
    printf("sigaction %d", (int)call32(174, SIGUSR1, (long)action, 0, 8));
    printf(" %x", call_far(0x23, ADDRESS(raise32), getpid(), 0, SIGUSR1));
    printf(" received %x\n", received);
}

int main(void)
{
    set_up();
    area = (struct user_desc *)(low + 0x7000);
    entries();
    limits();
    handlers();
    return 0;
}
