/* A translation unit without headers, for a compiler that runs as a guest. */
#define SQUARE(x) ((x) * (x))
typedef struct node { struct node *next; long value; double weight; } node;
static const char *const names[] = { "zero", "one", "two" };
static unsigned crc_table[256];
void make_table(void) {
    for (unsigned n = 0; n < 256; n++) {
        unsigned c = n;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
        crc_table[n] = c;
    }
}
unsigned crc(const unsigned char *p, unsigned long n) {
    unsigned c = ~0u;
    while (n--)
        c = crc_table[(c ^ *p++) & 255] ^ (c >> 8);
    return ~c;
}
double sum(const node *n) {
    double s = 0.5;
    for (; n; n = n->next)
        s += n->weight * SQUARE(n->value) / 3.0f;
    return s;
}
const char *name(int i) {
    switch (i) {
    case 0: case 1: case 2: return names[i];
    case 100: return "hundred";
    default: return i < 0 ? "negative" : "many";
    }
}
long long mix(long long a, int s) { return (a << s) ^ (a >> 7) ^ (unsigned long long)a / 10; }
