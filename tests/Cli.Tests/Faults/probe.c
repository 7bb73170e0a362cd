// Runs pieces of machine code, each with registers of its own, and prints how each ended: the signal and its context. The file named by
// the argument has a case a line, in machine code that ends with INT3 or faults before:
//   NAME HEX [at=BYTES before the end of a page] [next=none|nx|rx, the page behind it] [REGISTER=VALUE]... [ac] [tf] [of]
// A value is a number, or code, data or stack and an offset.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __x86_64__
#define IP REG_RIP
#define BASE 0x600000000ul
#define REGISTERS 16
#define CLEAR_AC "pushfq; andq $~0x40000,(%%rsp); popfq"
static const int registers[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
#define FAULT_ADDRESS(context) ((unsigned long)(context)->uc_mcontext.gregs[REG_CR2])
#else
#define IP REG_EIP
#define BASE 0x60000000ul
#define REGISTERS 8
#define CLEAR_AC "pushfl; andl $~0x40000,(%%esp); popfl"
static const int registers[] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI};
#define FAULT_ADDRESS(context) ((unsigned long)(context)->uc_mcontext.cr2)
#endif
#define CODE BASE
#define DATA (BASE + 0x10000)
#define STACK (BASE + 0x20000)
#define PAGE 0x1000
#define SP 4
#define MOST_TRAPS 31
#define FLAG_TF 0x100
#define FLAG_AC 0x40000
#define FLAG_RF 0x10000

static const char *names[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
static sigjmp_buf back;
static unsigned long values[16], flags, ip, trapped[MOST_TRAPS];
static int launching, traps;

static void put(unsigned long address) {
  if (address >= CODE && address < CODE + 3 * PAGE) printf("code%+ld", (long)(address - ip));
  else if (address >= DATA - PAGE && address < DATA + 3 * PAGE) printf("data%+ld", (long)(address - DATA));
  else if (address >= STACK - PAGE && address < STACK + 3 * PAGE) printf("stack%+ld", (long)(address - STACK));
  else printf("%#lx", address);
}

static void launch(ucontext_t *context) {
  launching = 0;
  for (int i = 0; i < REGISTERS; i++) context->uc_mcontext.gregs[registers[i]] = values[i];
  context->uc_mcontext.gregs[IP] = ip;
  context->uc_mcontext.gregs[REG_EFL] = flags;
}

static void on_signal(int number, siginfo_t *info, void *data) {
  asm volatile(CLEAR_AC ::: "memory", "cc");
  ucontext_t *context = data;
  greg_t *r = context->uc_mcontext.gregs;
  if (launching) {
    launch(context);
    return;
  }
  if (number == SIGTRAP && info->si_code == TRAP_TRACE && (flags & FLAG_TF) && traps < MOST_TRAPS) {
    trapped[traps++] = (unsigned long)r[IP] - ip;
    return;
  }
  printf("signal %d code %d address ", number, info->si_code);
  put((unsigned long)info->si_addr);
  printf(" vector %ld error %lx at ", (long)r[REG_TRAPNO], (long)r[REG_ERR]);
  put((unsigned long)r[IP]);
  printf(" stack ");
  put((unsigned long)r[registers[SP]]);
  printf(" flags %lx", (unsigned long)r[REG_EFL] & (FLAG_TF | FLAG_AC | FLAG_RF));
  if (r[REG_TRAPNO] == 14) {
    printf(" cr2 ");
    put(FAULT_ADDRESS(context));
  }
  for (int i = 0; i < REGISTERS; i++)
    if (i != SP && (unsigned long)r[registers[i]] != values[i]) printf(" %s %lx", names[i], (unsigned long)r[registers[i]]);
  for (int i = 0; i < traps; i++) printf("%s %ld", i ? "" : " traps", trapped[i]);
  siglongjmp(back, 1);
}

static unsigned long number(const char *text) {
  unsigned long base = 0;
  if (!strncmp(text, "data", 4)) base = DATA, text += 4;
  else if (!strncmp(text, "stack", 5)) base = STACK, text += 5;
  return base + (*text ? strtoul(text, 0, 0) : 0);
}

static void map(unsigned long address, int protection) {
  mmap((void *)address, 2 * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void prepare(void) {
  map(CODE, PROT_READ | PROT_WRITE | PROT_EXEC);
  memset((void *)CODE, 0xcc, 2 * PAGE);
  memset((void *)STACK, 0, 2 * PAGE);
  for (int i = 0; i < 2 * PAGE; i++) ((char *)DATA)[i] = i * 7;
  for (int i = 0; i < 16; i++) values[i] = DATA + 0x100;
  values[SP] = STACK + 0x800;
  flags = 0x202;
  traps = 0;
}

static void run(char *line) {
  char *name = strtok(line, " \n"), *code = strtok(0, " \n"), *word;
  if (!name || !code || *name == '#') return;
  const char *next = "rx";
  prepare();
  ip = CODE + 0x100;
  while ((word = strtok(0, " \n"))) {
    char *value = strchr(word, '=');
    if (value) *value++ = 0;
    if (!strcmp(word, "ac")) flags |= FLAG_AC;
    else if (!strcmp(word, "tf")) flags |= FLAG_TF;
    else if (!strcmp(word, "of")) flags |= 0x800;
    else if (!strcmp(word, "at")) ip = CODE + PAGE - number(value);
    else if (!strcmp(word, "next")) next = value;
    else
      for (int i = 0; i < REGISTERS; i++)
        if (!strcmp(word, names[i])) values[i] = number(value);
  }
  for (unsigned byte, i = 0; sscanf(code + 2 * i, "%2x", &byte) == 1; i++) ((unsigned char *)ip)[i] = byte;
  if (!strcmp(next, "none")) munmap((void *)(CODE + PAGE), PAGE);
  else if (!strcmp(next, "nx")) mprotect((void *)(CODE + PAGE), PAGE, PROT_READ | PROT_WRITE);
  printf("%s: ", name);
  launching = 1;
  if (!sigsetjmp(back, 1)) {
    raise(SIGUSR1);
    printf("came back");
  }
  puts("");
}

int main(int count, char **arguments) {
  static char alternate[65536], line[4096];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGUSR1};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  map(DATA, PROT_READ | PROT_WRITE);
  map(STACK, PROT_READ | PROT_WRITE);
  FILE *cases = count > 1 ? fopen(arguments[1], "r") : 0;
  if (!cases) return 2;
  while (fgets(line, sizeof line, cases)) run(line);
  return 0;
}
