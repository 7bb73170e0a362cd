// modify_ldt, loads of its entries, and what lar, lsl, verr and verw say about selectors.
#include "segments.h"

static void errors(void)
{
    struct user_desc d = {.entry_number = 8192, .seg_32bit = 1};
    printf("errors %d", write_ldt(0x11, &d, sizeof(d)));
    d.entry_number = -1;
    printf(" %d", write_ldt(1, &d, sizeof(d)));
    d.entry_number = 3;
    printf(" %d %d", write_ldt(1, &d, 15), write_ldt(0x11, (void *)8, sizeof(d)));
    d.contents = 3;
    printf(" %d", write_ldt(0x11, &d, sizeof(d)));
    d.seg_not_present = 1;
    d.base_addr = 1;
    printf(" %d %d", write_ldt(1, &d, sizeof(d)), write_ldt(0x11, &d, sizeof(d)));
    printf(" %d %d\n", write_ldt(3, &d, sizeof(d)), write_ldt(0x111, &d, sizeof(d)));
}

static void read_back(void)
{
    static unsigned char bytes[70000];
    memset(bytes, 0xAA, sizeof(bytes));
    printf("read %d", write_ldt(0, (void *)bytes, 40));
    printf(" default %d", write_ldt(2, (void *)bytes, 1000));
    printf(" %d\n", bytes[127] | bytes[128] << 8);
    set_entry(0, 0x12345678, 0xABCDE, 1, 0, 0, 1, 0);
    set_entry(2, 0xFEDCBA98, 0x1234, 0, 2, 1, 0, 1);
    struct user_desc old = {.entry_number = 4, .base_addr = 0x1000, .limit = 0xFFF, .seg_32bit = 1, .useable = 1};
    write_ldt(1, &old, sizeof(old));
    memset(bytes, 0xAA, sizeof(bytes));
    printf("read %d:", write_ldt(0, (void *)bytes, 56));
    for (int i = 0; i < 57; i++)
        printf(" %02x", bytes[i]);
    printf("\nread %d %d %d", write_ldt(0, (void *)bytes, 12), write_ldt(0, (void *)bytes, 70000), write_ldt(0, (void *)8, 8));
    old = (struct user_desc){.entry_number = 0, .read_exec_only = 1, .seg_not_present = 1};
    write_ldt(0x11, &old, sizeof(old));
    old = (struct user_desc){.entry_number = 4, .seg_32bit = 1};
    write_ldt(1, &old, sizeof(old));
    write_ldt(0, (void *)bytes, 56);
    printf(" emptied %d %d\n", bytes[5], bytes[37]);
}

static void questions(void)
{
    set_entry(0, 0, 0xFFFFF, 1, 0, 0, 1, 0);
    set_entry(1, 0x1000, 0xFFF, 1, 0, 1, 0, 0);
    set_entry(2, 0x1000, 0xFFF, 1, 1, 0, 0, 0);
    set_entry(3, 0, 0xFFFFF, 1, 2, 0, 1, 0);
    set_entry(4, 0, 0xFFFFF, 1, 2, 1, 1, 0);
    set_entry(5, 0, 0xFFFFF, 1, 3, 0, 1, 1);
    set_entry(6, 0, 0xFFFF, 0, 0, 0, 0, 1);
    set_entry(7, 0, 0x20, 0, 2, 1, 1, 1);
    for (unsigned selector = 0; selector < 0x90; selector++)
    {
        unsigned long rights = 0x55, limit = 0x66;
        unsigned char found[4];
        asm volatile("lar %2, %0; setz %1" : "+r"(rights), "=q"(found[0]) : "r"((unsigned long)selector) : "cc");
        asm volatile("lsl %2, %0; setz %1" : "+r"(limit), "=q"(found[1]) : "r"((unsigned long)selector) : "cc");
        asm volatile("verr %w1; setz %0" : "=q"(found[2]) : "r"(selector) : "cc");
        asm volatile("verw %w1; setz %0" : "=q"(found[3]) : "r"(selector) : "cc");
        if (selector >> 2 == 0x78 >> 2)
            limit = 0; // the processor's number
        printf("%02x: %d%d%d%d %lx %lx\n", selector, found[0], found[1], found[2], found[3], rights, limit);
    }
}

static void loads(void)
{
    unsigned tests[] = {0, 1, 3, 8, 0x10, 0x18, 0x20, 0x23, 0x28, 0x2A, 0x2B, 0x33, 0x3B, 0x40, 0x50, 0x63, 0x7B, 0x80, 0xFFF8, 0xFFFF, 4, LDT(0), LDT(0) - 1,
                        LDT(1), LDT(2), LDT(3), LDT(4), LDT(5), LDT(6), LDT(7), LDT(8), LDT(100)};
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
    {
        // The library uses these registers: they are as before again when it is called.
        unsigned before, after;
        printf("es %#x\n", tests[i]);
        TRY(asm volatile("mov %%es, %1; mov %2, %%es; mov %%es, %0; mov %1, %%es" : "=&r"(after), "=&r"(before) : "r"(tests[i]));
            printf("  es was %#x\n", after));
        printf("ss %#x\n", tests[i]);
        TRY(asm volatile("mov %%ss, %1; mov %2, %%ss; mov %%ss, %0; mov %1, %%ss" : "=&r"(after), "=&r"(before) : "r"(tests[i]));
            printf("  ss was %#x\n", after));
    }
}

static void far_transfers(void)
{
    unsigned tests[] = {0, 3, 8, 0x13, 0x2B, 0x30, 0x43, 0x7B, 0x8B, LDT(0), LDT(3) & ~3, LDT(5), LDT(7), LDT(9)};
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
    {
        printf("far call to %#x\n", tests[i]);
        TRY(call_far(tests[i], 0, 0, 0, 0); puts("  came back"));
    }
}

int main(void)
{
    set_up();
    unsigned long table = 0x77;
    asm("sldt %0" : "+r"(table));
    printf("sldt %lx\n", table);
    errors();
    read_back();
    asm("sldt %0" : "+r"(table));
    printf("sldt %lx\n", table);
    questions();
    loads();
    far_transfers();
    return 0;
}
