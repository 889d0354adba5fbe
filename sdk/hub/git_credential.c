/* git_credential.c - git's credential helpers, from both sides: putting a token into them, and being one.
 * The token goes through a pipe, never into an argument; the child's environment has no token either. git may be missing,
 * and what it prints is nobody's concern. */
#include "auth.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (1u << 20)
#define ANSWER_MAX 65536

extern char **environ;

/* The environment without secrets; git asks nobody, and answers in plain words. Freed by the caller, strings are not. */
static char **clean_environment(void) {
  static const char *const secret[] = {"HF_TOKEN=", "HUGGING_FACE_HUB_TOKEN=", "HF_OIDC_ID_TOKEN=",
                                       "ACTIONS_ID_TOKEN_REQUEST_TOKEN=", "GIT_TERMINAL_PROMPT="};
  static char prompt[] = "GIT_TERMINAL_PROMPT=0";
  size_t n = 0, kept = 0;
  while (environ[n]) n++;
  char **out = calloc(n + 2, sizeof *out);
  for (size_t i = 0; out && i < n; i++) {
    bool hide = false;
    for (size_t k = 0; k < HF_COUNT(secret); k++) hide |= !strncmp(environ[i], secret[k], strlen(secret[k]));
    if (!hide) out[kept++] = environ[i];
  }
  if (out) out[kept] = prompt;
  return out;
}

static bool start(char *const *words, char **env, int in, int out, pid_t *pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attr;
  sigset_t normal;
  if (posix_spawn_file_actions_init(&files)) return false;
  bool ok = !posix_spawnattr_init(&attr);
  if (ok) {
    sigemptyset(&normal);
    sigaddset(&normal, SIGPIPE);
    sigaddset(&normal, SIGINT);
    ok = !posix_spawnattr_setsigdefault(&attr, &normal) && !posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF) &&
         !posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO) &&
         !posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO) &&
         !posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) &&
         !posix_spawnp(pid, words[0], &files, &attr, words, env);
    posix_spawnattr_destroy(&attr);
  }
  posix_spawn_file_actions_destroy(&files);
  return ok;
}

/* Input goes in as far as the child reads it; output comes out as far as there is room. */
static void exchange(hf_call *c, pid_t pid, int to, int from, const char *input, char *output, size_t room,
                     size_t *len) {
  size_t left = strlen(input);
  while (from >= 0) {
    struct pollfd p[] = {{.fd = from, .events = POLLIN}, {.fd = left ? to : -1, .events = POLLOUT}};
    if (!left && to >= 0) close(to), to = -1;
    if (hf_host()->check(c) != HF_OK) {
      kill(pid, SIGTERM);
      break;
    }
    if (poll(p, 2, 100) < 0 && errno != EINTR) break;
    if (p[1].revents) {
      ssize_t n = write(to, input, left);
      if (n > 0)
        input += n, left -= (size_t)n;
      else if (errno != EINTR && errno != EAGAIN)
        left = 0;
    }
    if (p[0].revents) {
      char rest[4096];
      bool fits = *len < room;
      ssize_t n = read(from, fits ? output + *len : rest, fits ? room - *len : sizeof rest);
      if (n > 0 && fits) *len += (size_t)n;
      if (!n || (n < 0 && errno != EINTR)) break;
    }
  }
  if (to >= 0) close(to);
}

/* Runs git; *output in the arena, at most OUTPUT_MAX. -1: it could not be run, else its exit code. */
static int git(hf_call *c, char *const *words, const char *input, const char **output) {
  int in[2] = {-1, -1}, out[2] = {-1, -1}, code = -1, status;
  pid_t pid;
  size_t len = 0;
  char **env = clean_environment(), *buf = hf_host()->arena(c, OUTPUT_MAX + 1);
  sigset_t pipe_only, before;
  *output = "";
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  if (env && buf && !pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC) && fcntl(in[1], F_SETFL, O_NONBLOCK) != -1 &&
      start(words, env, in[0], out[1], &pid)) {
    close(in[0]), in[0] = -1;
    close(out[1]), out[1] = -1;
    exchange(c, pid, in[1], out[0], input, buf, OUTPUT_MAX, &len);
    in[1] = -1;
    buf[len] = 0;
    *output = buf;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  }
  int fds[] = {in[0], in[1], out[0], out[1]};
  for (size_t i = 0; i < HF_COUNT(fds); i++)
    if (fds[i] >= 0) close(fds[i]);
  sigtimedwait(&pipe_only, NULL, &(struct timespec){0}); /* one of ours, if the child did not read */
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  free(env);
  return code;
}

/* ---- git's helpers ---------------------------------------------------------------------------------------------------------- */

static bool name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_-/", c);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *hf_git_helpers(hf_call *c) {
  static const char key[] = "credential.helper=";
  char *words[] = {(char *)(uintptr_t) "git", (char *)(uintptr_t) "config", (char *)(uintptr_t) "--list", NULL};
  const char *output, *names[64], *all = "";
  size_t count = 0;
  if (git(c, words, "", &output) < 0) return NULL;
  for (const char *line = output; *line && count < HF_COUNT(names); line += line[0] == '\n') {
    size_t n = strcspn(line, "\n"), skip = sizeof key - 1, len = 0;
    if (n > skip && !strncasecmp(line, key, skip)) {
      while (skip + len < n && line[skip + len] && name_char(line[skip + len])) len++;
      if (len && (skip + len == n || line[skip + len] == ' ' || line[skip + len] == '\t')) {
        names[count] = hf_host()->intern(c, line + skip, len);
        if (names[count]) count++;
      }
    }
    line += n;
  }
  qsort(names, count, sizeof *names, by_text);
  for (size_t i = 0; i < count && all; i++)
    if (!i || strcmp(names[i], names[i - 1])) all = hf_hub_text(c, "%s%s%s", all, *all ? "," : "", names[i]);
  return all;
}

static int credential(struct hf_hub *hub, const char *verb, const char *token, const char **output) {
  char *words[] = {(char *)(uintptr_t) "git", (char *)(uintptr_t) "credential", (char *)(uintptr_t)verb, NULL};
  const char *input = hf_hub_text(hub->call, "url=%s\nusername=" HF_GIT_USER "\n%s%s%s\n", hub->endpoint,
                                  token ? "password=" : "", token ? token : "", token ? "\n" : "");
  return input ? git(hub->call, words, input, output) : -1;
}

bool hf_git_approve(struct hf_hub *hub, const char *token) {
  const char *output;
  if (credential(hub, "approve", token, &output) != 0) return false;
  if (credential(hub, "fill", NULL, &output) != 0) return false; /* approve says 0 whatever its helpers did */
  const char *line = hf_hub_text(hub->call, "\npassword=%s\n", token);
  return line && (strstr(output, line) || !strncmp(output, line + 1, strlen(line + 1)));
}

void hf_git_reject(struct hf_hub *hub) {
  const char *output;
  int code = credential(hub, "reject", NULL, &output);
  hf_host()->log(hub->call, HF_LOG_DEBUG, "git credential reject: %d", code);
}

/* ---- as a helper of git ------------------------------------------------------------------------------------------------------ */

/* Lines "key=value" up to an empty one. */
static const char *asked(hf_call *c) {
  char *text = hf_host()->arena(c, ANSWER_MAX + 1);
  size_t n = 0;
  while (text && n < ANSWER_MAX) {
    ssize_t got = read(STDIN_FILENO, text + n, ANSWER_MAX - n);
    if (got < 0 && errno == EINTR && hf_host()->check(c) == HF_OK) continue;
    if (got <= 0) break;
    n += (size_t)got;
    if (n >= 2 && text[n - 1] == '\n' && text[n - 2] == '\n') break;
  }
  return text;
}

static const char *member(hf_call *c, const char *text, const char *key) {
  size_t k = strlen(key);
  for (const char *line = text; line && *line; line += *line == '\n') {
    size_t n = strcspn(line, "\n");
    if (n > k && !strncmp(line, key, k) && line[k] == '=') return hf_host()->intern(c, line + k + 1, n - k - 1);
    line += n;
  }
  return NULL;
}

hf_status hf_git_task(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *verb = hf_host()->arg_str(args, "verb", 0), *token;
  (void)state;
  if (strcmp(verb, "get") != 0) return HF_OK; /* store, erase: tokens come and go with login and logout */
  TRY(hf_hub_begin(&hub, c, NULL, NULL, NULL, false));
  const char *text = asked(c), *protocol = member(c, text, "protocol"), *host = member(c, text, "host"),
             *user = member(c, text, "username");
  const char *url = protocol && host ? hf_hub_text(c, "%s://%s", protocol, host) : NULL;
  if (!url || !hf_hub_is_hub(&hub, url)) return HF_OK; /* another helper's */
  TRY(hf_hub_token(&hub, &token));
  const char *answer =
      token ? hf_hub_text(c, "username=%s\npassword=%s\n", user && *user ? user : HF_GIT_USER, token) : NULL;
  return answer ? hf_host()->record(out, HF_OUT_BYTES, answer, strlen(answer)) : HF_OK;
}
