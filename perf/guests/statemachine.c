/* A state machine by switch: jump tables. */
#include <stdio.h>
static char input[1 << 16];
int main(void)
{
    unsigned seed = 9, words = 0, numbers = 0, others = 0;
    for (unsigned i = 0; i < sizeof input; i++) { seed = seed * 1664525u + 1013904223u; input[i] = "ab 1.2_\"cd\n9-x(3)"[(seed >> 20) % 18]; }
    for (int round = 0; round < 3500; round++) {
        int state = 0;
        for (unsigned i = 0; i < sizeof input; i++) {
            char c = input[i];
            switch (state) {
            case 0: state = c == ' ' || c == '\n' ? 0 : c == '"' ? 3 : c >= '0' && c <= '9' ? 2 : c == '-' ? 4 : 1; break;
            case 1: if (c == ' ' || c == '\n' || c == '(') { words++; state = 0; } break;
            case 2: if (c == '.') state = 5; else if (c < '0' || c > '9') { numbers++; state = 0; } break;
            case 3: if (c == '"') { others++; state = 0; } break;
            case 4: state = c >= '0' && c <= '9' ? 2 : 1; break;
            default: if (c < '0' || c > '9') { numbers += 2; state = 0; } break;
            }
        }
    }
    printf("%u %u %u\n", words, numbers, others);
    return 0;
}
