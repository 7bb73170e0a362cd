/* A hash table, a parser of expressions and a small machine that runs them: a unit of about 120 lines for the compiler. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum op { Push, Load, Store, Add, Subtract, Multiply, Divide, Negate, End };

struct instruction { enum op op; int64_t value; };
struct entry { char *name; int slot; struct entry *next; };
struct table { struct entry *buckets[64]; int count; };
struct program { struct instruction *code; size_t length, capacity; };
struct parser { const char *at; struct table *names; struct program *to; const char *error; };

static unsigned hash(const char *name, size_t length)
{
    unsigned h = 2166136261u;
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h;
}

static int slot_of(struct table *table, const char *name, size_t length)
{
    struct entry **bucket = &table->buckets[hash(name, length) % 64], *entry;
    for (entry = *bucket; entry; entry = entry->next)
        if (strlen(entry->name) == length && memcmp(entry->name, name, length) == 0) return entry->slot;
    entry = malloc(sizeof *entry);
    if (!entry || !(entry->name = malloc(length + 1))) abort();
    memcpy(entry->name, name, length);
    entry->name[length] = 0;
    entry->slot = table->count++;
    entry->next = *bucket;
    *bucket = entry;
    return entry->slot;
}

static void emit(struct program *program, enum op op, int64_t value)
{
    if (program->length == program->capacity) {
        program->capacity = program->capacity ? 2 * program->capacity : 16;
        program->code = realloc(program->code, program->capacity * sizeof *program->code);
        if (!program->code) abort();
    }
    program->code[program->length++] = (struct instruction){ op, value };
}

static void skip(struct parser *p) { while (isspace((unsigned char)*p->at)) p->at++; }

static void sum(struct parser *p);

static void factor(struct parser *p)
{
    skip(p);
    if (*p->at == '-') {
        p->at++;
        factor(p);
        emit(p->to, Negate, 0);
    } else if (*p->at == '(') {
        p->at++;
        sum(p);
        skip(p);
        if (*p->at == ')') p->at++;
        else p->error = "a bracket is not closed";
    } else if (isdigit((unsigned char)*p->at)) {
        char *end;
        emit(p->to, Push, strtoll(p->at, &end, 10));
        p->at = end;
    } else if (isalpha((unsigned char)*p->at)) {
        const char *start = p->at;
        while (isalnum((unsigned char)*p->at)) p->at++;
        emit(p->to, Load, slot_of(p->names, start, p->at - start));
    } else {
        p->error = "a number or a name is missing";
    }
}

static void term(struct parser *p)
{
    factor(p);
    for (skip(p); !p->error && (*p->at == '*' || *p->at == '/'); skip(p)) {
        enum op op = *p->at++ == '*' ? Multiply : Divide;
        factor(p);
        emit(p->to, op, 0);
    }
}

static void sum(struct parser *p)
{
    term(p);
    for (skip(p); !p->error && (*p->at == '+' || *p->at == '-'); skip(p)) {
        enum op op = *p->at++ == '+' ? Add : Subtract;
        term(p);
        emit(p->to, op, 0);
    }
}

static int64_t run(const struct program *program, int64_t *slots)
{
    int64_t stack[128], *top = stack;
    for (const struct instruction *i = program->code;; i++) {
        switch (i->op) {
        case Push: *top++ = i->value; break;
        case Load: *top++ = slots[i->value]; break;
        case Store: slots[i->value] = *--top; break;
        case Add: top--; top[-1] += *top; break;
        case Subtract: top--; top[-1] -= *top; break;
        case Multiply: top--; top[-1] *= *top; break;
        case Divide: top--; top[-1] = *top ? top[-1] / *top : 0; break;
        case Negate: top[-1] = -top[-1]; break;
        case End: return top > stack ? top[-1] : 0;
        }
    }
}

int main(int argc, char **argv)
{
    struct table names = { 0 };
    int64_t slots[256] = { 0 };
    for (int i = 1; i < argc; i++) {
        struct program program = { 0 };
        struct parser parser = { argv[i], &names, &program, NULL };
        sum(&parser);
        if (parser.error) { fprintf(stderr, "%s: %s\n", argv[i], parser.error); return 1; }
        emit(&program, Store, slot_of(&names, "it", 2));
        emit(&program, Load, slot_of(&names, "it", 2));
        emit(&program, End, 0);
        printf("%lld\n", (long long)run(&program, slots));
        free(program.code);
    }
    return 0;
}
