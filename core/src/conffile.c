/* Reads hf.conf: lines "key = value", "[section]", comments behind "#" or ";" at the start of a line.
 * A file that everybody may write is not trusted, and one beyond a mebibyte is not configuration.
 * A line that cannot be understood is complained about and skipped; it never stops a command. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

#define MOST_BYTES (1024 * 1024)

static void complain(const struct hf_conf_reader *r, const char *path, unsigned line, const char *what) {
  char text[1024];
  if (line)
    snprintf(text, sizeof text, "%.700s:%u: %s", path, line, what);
  else
    snprintf(text, sizeof text, "%.700s %s", path, what);
  r->complain(r->arg, text);
}

static char *trim(char *s) {
  s += strspn(s, " \t\r");
  size_t len = strlen(s);
  while (len && strchr(" \t\r", s[len - 1])) s[--len] = 0;
  return s;
}

static char *unquote(char *s) {
  size_t len = strlen(s);
  if (len < 2 || (s[0] != '"' && s[0] != '\'') || s[len - 1] != s[0]) return s;
  s[len - 1] = 0;
  return s + 1;
}

struct place {
  const char *path;
  char section[300]; /* a host name may be long */
  unsigned line;
};

static void read_line(const struct hf_conf_reader *r, struct place *at, char *line) {
  line = trim(line);
  if (!*line || *line == '#' || *line == ';') return;
  if (*line == '[') {
    size_t len = strlen(line);
    if (line[len - 1] != ']' || len < 3 || len >= sizeof at->section) {
      complain(r, at->path, at->line, "write [section]");
      return;
    }
    line[len - 1] = 0;
    snprintf(at->section, sizeof at->section, "%s", trim(line + 1));
    return;
  }
  char *equal = strchr(line, '=');
  char key[480];
  if (equal) *equal = 0;
  int len = snprintf(key, sizeof key, "%s%s%s", at->section, at->section[0] ? "." : "", trim(line));
  if (!equal || !*trim(line) || len < 0 || (size_t)len >= sizeof key)
    complain(r, at->path, at->line, "write key = value");
  else
    r->pair(r->arg, key, unquote(trim(equal + 1)), at->line);
}

static hf_status load(int fd, const char *path, const struct hf_conf_reader *r, char **out) {
  struct stat s;
  if (fstat(fd, &s)) return hf_code_of_errno(errno);
  if (!S_ISREG(s.st_mode)) return HF_ENOTFOUND;
  if (s.st_mode & S_IWOTH) {
    complain(r, path, 0, "is not used because everybody may write to it; run chmod o-w on it");
    return HF_ENOTFOUND;
  }
  if (s.st_size > MOST_BYTES) {
    complain(r, path, 0, "is not used because it is larger than 1 MiB");
    return HF_ENOTFOUND;
  }
  char *text = hf_mem_alloc((size_t)s.st_size + 1);
  if (!text) return HF_ENOMEM;
  size_t got = 0;
  while (got < (size_t)s.st_size) {
    ssize_t n = read(fd, text + got, (size_t)s.st_size - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      complain(r, path, 0, "could not be read");
      hf_mem_free(text);
      return HF_ENOTFOUND;
    }
    if (n == 0) break;
    got += (size_t)n;
  }
  if (memchr(text, 0, got)) got = strlen(text);
  *out = text;
  return HF_OK;
}

hf_status hf_conf_read(const char *path, const struct hf_conf_reader *r) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    if (errno != ENOENT && errno != ENOTDIR) complain(r, path, 0, "could not be opened and is not used");
    return HF_ENOTFOUND;
  }
  char *text = NULL;
  hf_status st = load(fd, path, r, &text);
  close(fd);
  TRY(st);
  struct place at = {.path = path};
  char *rest = text;
  if (strncmp(rest, "\xef\xbb\xbf", 3) == 0) rest += 3;
  while (rest) {
    char *line = rest, *end = strchr(rest, '\n');
    if (end) *end = 0;
    rest = end ? end + 1 : NULL;
    at.line++;
    read_line(r, &at, line);
  }
  explicit_bzero(text, strlen(text));
  hf_mem_free(text);
  return HF_OK;
}
