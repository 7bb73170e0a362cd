/* A linked list in random order: one load depends on the other. */
#include <stdio.h>
struct node { struct node *next; unsigned value; };
static struct node nodes[1 << 16];
int main(void)
{
    unsigned seed = 1, sum = 0, n = 1 << 16;
    static unsigned order[1 << 16];
    for (unsigned i = 0; i < n; i++) order[i] = i;
    for (unsigned i = n - 1; i > 0; i--) {
        seed = seed * 1664525u + 1013904223u;
        unsigned j = (seed >> 8) % (i + 1), t = order[i];
        order[i] = order[j]; order[j] = t;
    }
    for (unsigned i = 0; i < n; i++) { nodes[order[i]].next = &nodes[order[(i + 1) % n]]; nodes[i].value = i; }
    struct node *p = nodes;
    for (unsigned i = 0; i < 240000000; i++) { sum += p->value; p = p->next; }
    printf("%u\n", sum);
    return 0;
}
