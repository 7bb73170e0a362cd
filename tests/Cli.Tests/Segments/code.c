// Code of other kinds: 32-bit code under a 64-bit program and the reverse, 16-bit code, code and stacks with a base and a limit.
#include "segments.h"

CODE32(sum32, "mov %ds, %esi; mov $0x2b, %edi; mov %edi, %ds; mov %edi, %es; xor %ebx, %ebx; 1: add (%edx), %ebx; add %eax, %ebx; rol $3, %ebx; "
              "loop 1b; mov %ebx, %eax; mov %esi, %ds; mov %esi, %es");
CODE32(load32, "mov (%edx), %eax");
CODE32(store32, "mov %eax, (%edx)");
CODE32(load_own, "mov %cs:(%edx), %eax");
CODE32(store_own, "mov %eax, %cs:(%edx)");
CODE32(jump32, "jmp *%edx");
CODE32(stack32, "mov %ss, %ebx; mov %esp, %esi; mov %eax, %ss; mov %ecx, %esp; push %edx; pushw %dx; mov %esp, %eax; pop %cx; mov %ebx, %ss; mov %esi, %esp");
CODE32(call32, "push %ecx; call 1f; pop %ecx; jmp 2f; 1: lea 5(%eax, %ecx), %eax; ret; 2:");
CODE32(through, "push %ds; mov %edx, %ds; mov (%eax), %eax; pop %ds");
CODE32(store_through, "push %ds; mov %edx, %ds; mov %ecx, (%eax); pop %ds");
CODE32(string_through, "push %ds; push %es; mov %edx, %ds; mov %edx, %es; mov %eax, %edi; mov $7, %eax; rep stosb; mov %edi, %eax; pop %es; pop %ds");
CODE16(sum16, "xor %bx, %bx; 1: add %ax, %bx; rolw $1, %bx; loop 1b; mov %bx, %ax");
CODE16(data16, "push %ds; mov %dx, %ds; mov $0x10, %bx; incw 2(%bx); mov 2(%bx), %ax; xor %dx, %dx; pop %ds");

static unsigned pages(void *p) { return ADDRESS(p) & ~0xFFFu; }

// Enters code by its offset in a segment whose base is the code's page.
static unsigned call_based(int entry, char *code, int is32, unsigned limit, unsigned a, unsigned c, unsigned d)
{
    set_entry(entry, pages(code), limit, is32, 2, 0, 0, 0);
    return call_far(LDT(entry), ADDRESS(code) & 0xFFF, a, c, d);
}

static void flat32(void)
{
    *(unsigned *)low = 0x12345;
    printf("sum32 %x\n", call_far(0x23, ADDRESS(sum32), 3, 5, ADDRESS(low)));
    printf("sum32 hot %x\n", call_far(0x23, ADDRESS(sum32), 3, 3000000, ADDRESS(low)));
    for (int i = 0, x = 0; i < 20000; i++)
        if ((x = call_far(0x23, ADDRESS(call32), i, 7, 0)) != i + 12)
            printf("call32 %d %d\n", i, x);
    puts("call32 done");
    set_entry(20, 0, 0xFFFFF, 1, 0, 0, 1, 0);
    printf("through flat %x\n", call_far(0x23, ADDRESS(through), ADDRESS(low), 0, LDT(20)));
}

static void based(void)
{
    printf("based %x\n", call_based(1, sum32, 1, 0xFFFF, 3, 5, ADDRESS(low)));
    printf("based hot %x\n", call_based(1, sum32, 1, 0xFFFF, 3, 2000000, ADDRESS(low)));
    puts("limit of code");
    TRY(printf("  %x\n", call_based(2, sum32, 1, ADDRESS(sum32) & 0xFFF, 3, 5, ADDRESS(low))));
    puts("offset beyond it");
    set_entry(2, pages(sum32), 0xF, 1, 2, 0, 0, 0);
    TRY(call_far(LDT(2), 0x10, 0, 0, 0));
    puts("jump beyond it");
    TRY(call_based(2, jump32, 1, 0x1FFFF, 0, 0, 0x20000));
    puts("write to code");
    TRY(call_based(2, store_own, 1, 0xFFFF, 0, 0, 0x10));
    TRY(call_far(0x23, ADDRESS(store_own), 0, 0, ADDRESS(low)));
    printf("read of code %x\n", call_based(2, load_own, 1, 0xFFFF, 0, 0, ADDRESS(load_own) & 0xFFF));
    puts("code that cannot be read");
    set_entry(3, pages(load_own), 0xFFFFF, 1, 2, 1, 1, 0);
    TRY(call_far(LDT(3), ADDRESS(load_own) & 0xFFF, 0, 0, 0));
    printf("but run %x\n", call_far(LDT(3), ADDRESS(call32) - pages(load_own), 4, 5, 0));

    // Two segments of code with the same offset and other bytes.
    memcpy(low + 0x11000, "\xB8\x01\x00\x00\x00\xCB", 6);
    memcpy(low + 0x12000, "\xB8\x02\x00\x00\x00\xCB", 6);
    set_entry(4, ADDRESS(low + 0x11000), 0xFF, 1, 2, 0, 0, 0);
    set_entry(5, ADDRESS(low + 0x12000), 0xFF, 1, 2, 0, 0, 0);
    unsigned sum = 0;
    for (int i = 0; i < 30000; i++)
        sum = sum * 3 + call_far(LDT(4), 0, 0, 0, 0) + 5 * call_far(LDT(5), 0, 0, 0, 0);
    printf("two segments %x\n", sum);

    // The same entry with another base.
    set_entry(4, ADDRESS(low + 0x12000), 0xFF, 1, 2, 0, 0, 0);
    printf("moved %x\n", call_far(LDT(4), 0, 0, 0, 0));
}

static void code16(void)
{
    printf("sum16 %x\n", call_based(6, sum16, 0, 0xFFFF, 77, 1000, 0) & 0xFFFF);
    printf("sum16 hot %x\n", call_based(6, sum16, 0, 0xFFFF, 77, 65535, 0) & 0xFFFF);
    set_entry(7, ADDRESS(low), 0x13, 0, 0, 0, 0, 0);
    *(unsigned short *)(low + 0x12) = 0x4711;
    printf("data16 %x\n", call_based(6, data16, 0, 0xFFFF, 0, 0, LDT(7)) & 0xFFFF);
    for (int i = 0; i < 5000; i++)
        call_based(6, data16, 0, 0xFFFF, 0, 0, LDT(7));
    printf("data16 %x\n", *(unsigned short *)(low + 0x12));
    set_entry(7, ADDRESS(low), 0x12, 0, 0, 0, 0, 0);
    TRY(call_based(6, data16, 0, 0xFFFF, 0, 0, LDT(7)));
}

static void data(void)
{
    struct
    {
        const char *name;
        unsigned limit;
        int is32, contents, read_only, in_pages;
    } kinds[] = {{"up", 0xFFF, 1, 0, 0, 0}, {"read-only", 0xFFF, 1, 0, 1, 0}, {"down 32", 0xFFF, 1, 1, 0, 0}, {"down 16", 0xFFF, 0, 1, 0, 0}, {"code", 0xFFF, 1, 2, 0, 0},
                 {"code, unreadable", 0xFFF, 1, 2, 1, 0}, {"pages", 1, 1, 0, 0, 1}, {"down, pages", 0, 1, 1, 0, 1}};
    unsigned offsets[] = {0, 0xFFC, 0xFFD, 0xFFF, 0x1000, 0x1FFC, 0x1FFD, 0xFFFC, 0xFFFD, 0x10000, 0xFFFFFFFC, 0xFFFFFFFF};
    for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
    {
        set_entry(8, ADDRESS(low + 0x8000), kinds[k].limit, kinds[k].is32, kinds[k].contents, kinds[k].read_only, kinds[k].in_pages, 0);
        for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
        {
            printf("%s, offset %#x\n", kinds[k].name, offsets[i]);
            *(unsigned *)(low + 0x8000 + (offsets[i] & 0xFFFF)) = i * 100;
            TRY(printf("  read %d\n", call_far(0x23, ADDRESS(through), offsets[i], 0, LDT(8))));
            TRY(call_far(0x23, ADDRESS(store_through), offsets[i], 55, LDT(8)); printf("  written %d\n", *(unsigned *)(low + 0x8000 + (offsets[i] & 0xFFFF))));
        }

        printf("%s, string\n", kinds[k].name);
        memset(low + 0x8000, 0, 0x8000);
        TRY(printf("  to %x\n", call_far(0x23, ADDRESS(string_through), 0xF80, 0x100, LDT(8))));
        int filled = 0;
        for (int i = 0; i < 0x7000; i++)
            filled += low[0x8000 + i];
        printf("  filled %d\n", filled);
    }
#ifdef __x86_64__
    puts("null ds");
    LOAD(ds, 0);
    TRY(call_far(0x23, ADDRESS(load32), 0, 0, ADDRESS(low)));
    TRY(call_far(0x23, ADDRESS(store32), 0, 0, ADDRESS(low)));
#endif
    puts("null es");
    LOAD(ds, 0x2B);
    TRY(call_far(0x23, ADDRESS(string_through), ADDRESS(low), 1, 0));
}

static void stacks(void)
{
    struct
    {
        int is32, contents;
        unsigned limit;
    } kinds[] = {{1, 0, 0xFFF}, {0, 0, 0xFFF}, {1, 1, 0xFFF}, {0, 1, 0xFFF}};
    unsigned pointers[] = {0x100, 0x1000, 0x1001, 0x1004, 0x2000, 0, 2, 4, 6, 0x12340100, 0x12340002, 0xFFFF0000};
    for (unsigned k = 0; k < 4; k++)
        for (unsigned i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
        {
            set_entry(9, ADDRESS(low), kinds[k].limit, kinds[k].is32, kinds[k].contents, 0, 0, 0);
            printf("stack %d %d, pointer %#x\n", kinds[k].is32, kinds[k].contents, pointers[i]);
            TRY(printf("  %#x\n", call_far(0x23, ADDRESS(stack32), LDT(9), pointers[i], 0x99)));
        }
}

int main(void)
{
    set_up();
    flat32();
    based();
    code16();
    data();
    stacks();
    return 0;
}
