/* ask.c - questions to the person at the terminal: yes or no, a line, a secret that is not shown, one of several choices.
 * Prompts go to stdout, as the reference client writes them; secrets are asked on the terminal itself, whatever stdin and
 * stdout are. Only human mode asks: everything else is told which option answers instead. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "out.h"
#include "unicode.h"

static struct termios before;
static volatile sig_atomic_t changed_fd = -1; /* whose settings are to be put back; -1: none */
static volatile sig_atomic_t cursor_hidden;

void cli_ask_restore(void) {
  int fd = changed_fd;
  if (fd >= 0) tcsetattr(fd, TCSAFLUSH, &before);
  changed_fd = -1;
  if (cursor_hidden && write(STDOUT_FILENO, "\033[?25h", 6) < 0) return;
  cursor_hidden = 0;
}

static bool change(int fd, tcflag_t off) {
  if (tcgetattr(fd, &before)) return false;
  struct termios t = before;
  t.c_lflag &= ~off;
  changed_fd = fd;
  if (!tcsetattr(fd, TCSAFLUSH, &t)) return true;
  changed_fd = -1;
  return false;
}

/* One line without its end, byte by byte: what follows belongs to whoever reads next. Cut lines are not answers. */
static hf_status read_line(int fd, char *line, size_t room) {
  size_t n = 0;
  for (;;) {
    char c;
    ssize_t got = read(fd, &c, 1);
    if (got < 0 || (!got && !n)) return HF_ECANCELED;
    if (!got || c == '\n') break;
    if (n + 1 == room) return HF_ECANCELED;
    line[n++] = c;
  }
  if (n && line[n - 1] == '\r') n--;
  line[n] = 0;
  return HF_OK;
}

static char *trim(char *s) {
  while (isspace((unsigned char)*s)) s++;
  size_t n = strlen(s);
  while (n && isspace((unsigned char)s[n - 1])) s[--n] = 0;
  return s;
}

static void prompt_out(const char *text) {
  cli_write_message(stdout, text);
  fflush(stdout);
}

static hf_status confirm(const char *prompt) {
  for (;;) {
    char line[256];
    prompt_out(prompt);
    prompt_out(" [y/N]: ");
    hf_status st = read_line(STDIN_FILENO, line, sizeof line);
    if (st != HF_OK) return st;
    const char *word = trim(line);
    if (!strcasecmp(word, "y") || !strcasecmp(word, "yes")) return HF_OK;
    if (!*word || !strcasecmp(word, "n") || !strcasecmp(word, "no")) return HF_ECANCELED;
    puts("Error: invalid input");
  }
}

static hf_status secret(const char *prompt, char *answer, size_t room) {
  int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), in = fd >= 0 ? fd : STDIN_FILENO,
      to = fd >= 0 ? fd : STDERR_FILENO;
  bool hidden = change(in, ECHO);
  hf_status st = write(to, prompt, strlen(prompt)) < 0 ? HF_ECANCELED : read_line(in, answer, room);
  cli_ask_restore();
  if (hidden && write(to, "\n", 1) < 0) st = HF_ECANCELED;
  if (fd >= 0) close(fd);
  return st;
}

/* ---- choices -------------------------------------------------------------------------------------------------------------- */

#define CHOICES_MAX 512

struct menu {
  struct cli_out *out;
  const char *prompt;
  size_t prompt_len, count;
  struct {
    const char *text;
    int len;
  } choices[CHOICES_MAX];
};

static const char *paint(const struct menu *m, const char *code) {
  return m->out->colour ? code : "";
}

static hf_status by_number(const struct menu *m, size_t *index) {
  printf("? %.*s\n", (int)m->prompt_len, m->prompt);
  for (size_t i = 0; i < m->count; i++) printf("  %zu. %.*s\n", i + 1, m->choices[i].len, m->choices[i].text);
  for (;;) {
    char line[256], *end;
    prompt_out("Choice [1]: ");
    hf_status st = read_line(STDIN_FILENO, line, sizeof line);
    if (st != HF_OK) {
      fputc('\n', stderr);
      return st;
    }
    const char *word = trim(line);
    unsigned long n = *word ? strtoul(word, &end, 10) : 1;
    if ((!*word || (isdigit((unsigned char)*word) && !*end)) && n >= 1 && n <= m->count) {
      *index = n - 1;
      return HF_OK;
    }
    printf("Invalid choice. Enter a number between 1 and %zu.\n", m->count);
  }
}

static bool more(void) {
  return poll(&(struct pollfd){.fd = STDIN_FILENO, .events = POLLIN}, 1, 50) > 0;
}

/* 'U' and 'D' for arrows, the key itself, 0 for what means nothing; -1: the end. */
static int key(void) {
  char c;
  if (read(STDIN_FILENO, &c, 1) != 1) return -1;
  if (c != '\033') return c == 'U' || c == 'D' ? 0 : (unsigned char)c;
  if (!more() || read(STDIN_FILENO, &c, 1) != 1 || c != '[' || !more() || read(STDIN_FILENO, &c, 1) != 1) return 0;
  return c == 'A' ? 'U' : c == 'B' ? 'D' : 0;
}

static void draw(const struct menu *m, size_t selected) {
  for (size_t i = 0; i < m->count; i++)
    if (i == selected)
      printf("\r\033[K%s> %s%s%.*s%s\n", paint(m, "\033[32m"), paint(m, "\033[0m"), paint(m, "\033[1m"),
             m->choices[i].len, m->choices[i].text, paint(m, "\033[0m"));
    else
      printf("\r\033[K  %.*s\n", m->choices[i].len, m->choices[i].text);
  fflush(stdout);
}

static hf_status by_arrows(const struct menu *m, size_t *index) {
  size_t at = 0;
  hf_status st = HF_PENDING;
  if (!change(STDIN_FILENO, ICANON | ECHO)) return by_number(m, index);
  printf("%s? %.*s%s%s  [Use arrows, Enter to confirm]%s\n\033[?25l", paint(m, "\033[1m"), (int)m->prompt_len,
         m->prompt, paint(m, "\033[0m"), paint(m, "\033[90m"), paint(m, "\033[0m"));
  cursor_hidden = 1;
  draw(m, at);
  while (st == HF_PENDING) {
    int k = key();
    if (k < 0) st = HF_ECANCELED;
    if (k == '\r' || k == '\n') st = HF_OK;
    if (k >= '1' && k <= '9' && (size_t)(k - '0') <= m->count) at = (size_t)(k - '1'), st = HF_OK;
    if (k == 'U') at = (at + m->count - 1) % m->count;
    if (k == 'D') at = (at + 1) % m->count;
    if (st != HF_PENDING || (k != 'U' && k != 'D')) continue;
    printf("\033[%zuA", m->count);
    draw(m, at);
  }
  cli_ask_restore();
  if (st != HF_OK) return st;
  printf("\033[%zuA\r\033[J%s? %.*s %s%s%.*s%s\n", m->count + 1, paint(m, "\033[1m"), (int)m->prompt_len, m->prompt,
         paint(m, "\033[0m"), paint(m, "\033[32m"), m->choices[at].len, m->choices[at].text, paint(m, "\033[0m"));
  fflush(stdout);
  *index = at;
  return HF_OK;
}

static hf_status choose(struct cli_out *out, const char *prompt, char *answer, size_t room) {
  struct menu m = {.out = out, .prompt = prompt, .prompt_len = strcspn(prompt, "\n")};
  size_t index = 0;
  for (const char *at = prompt + m.prompt_len; *at && m.count < CHOICES_MAX; m.count++) {
    size_t n = strcspn(++at, "\n");
    m.choices[m.count].text = at;
    m.choices[m.count].len = (int)n;
    at += n;
  }
  if (!m.count) return HF_EINVAL;
  hf_status st = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? by_arrows(&m, &index) : by_number(&m, &index);
  if (st == HF_OK) snprintf(answer, room, "%zu", index);
  return st;
}

hf_status cli_ask(struct cli_out *out, uint32_t what, const char *prompt, char *answer, size_t room) {
  if (out->mode != CLI_HUMAN) return HF_EINVAL;
  fflush(stdout);
  cli_progress_clear(out->progress);
  switch (what) {
    case HF_ASK_CONFIRM: return confirm(prompt);
    case HF_ASK_LINE: prompt_out(prompt); return read_line(STDIN_FILENO, answer, room);
    case HF_ASK_SECRET: return secret(prompt, answer, room);
    case HF_ASK_CHOICE: return choose(out, prompt, answer, room);
    default: return HF_EINVAL;
  }
}
