/* ssh_start.c - starts ssh for a job or a Space: a fixed list of words, no shell, no token in its environment.
 * The address comes from the server: user and host are letters, digits, ".", "-" and "_" only, and begin with none of ssh's own
 * options.
 * The exit code of ssh is that of the command. */
#include "jobs.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static bool plain_name(const char *s, size_t n) {
  static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return n && *s != '-' && strspn(s, fine) >= n;
}

/* The environment without what holds tokens. */
char **hf_hub_clean_environment(hf_call *c) {
  static const char *const secret[] = {"HF_TOKEN=", "HUGGING_FACE_HUB_TOKEN=", "HF_OIDC_ID_TOKEN="};
  size_t n = 0, kept = 0;
  while (environ[n]) n++;
  char **out = hf_host()->arena(c, (n + 1) * sizeof *out);
  for (size_t i = 0; out && i < n; i++) {
    bool hidden = false;
    for (size_t k = 0; k < HF_COUNT(secret); k++) hidden |= !strncmp(environ[i], secret[k], strlen(secret[k]));
    if (!hidden) out[kept++] = environ[i];
  }
  if (out) out[kept] = NULL;
  return out;
}

hf_status hf_hub_ssh(struct hf_hub *hub, const char *url, const hf_args *args) {
  hf_call *c = hub->call;
  const char *identity = hf_hub_arg(args, "identity_file"), *user = strncmp(url, "ssh://", 6) ? url : url + 6;
  size_t user_len = strcspn(user, "@");
  const char *host = user[user_len] ? user + user_len + 1 : "";
  size_t host_len = strcspn(host, ":/"), digits = host[host_len] == ':' ? strspn(host + host_len + 1, "0123456789") : 0;
  if (!plain_name(user, user_len) || !plain_name(host, host_len) || digits > 5)
    return hf_hub_fail(c, HF_EPROTO, NULL, "The Hub gave an address for ssh that is none: %s.", url);
  const char *to = hf_hub_text(c, "%.*s@%.*s", (int)user_len, user, (int)host_len, host);
  const char *port = digits ? hf_host()->intern(c, host + host_len + 1, digits) : NULL;
  const char *argv[8] = {"ssh"}, *shown = "ssh";
  size_t n = 1;
  if (identity) argv[n++] = "-i", argv[n++] = identity;
  if (port) argv[n++] = "-p", argv[n++] = port;
  argv[n++] = to;
  for (size_t i = 1; shown && i < n; i++) {
    const char *word = argv[i] ? hf_hub_shell_word(c, argv[i]) : NULL;
    shown = word ? hf_hub_text(c, "%s %s", shown, word) : NULL;
  }
  if (!shown) return HF_ENOMEM;
  if (hf_hub_given(args, "dry_run")) return hf_hub_say(hub->out, c, HF_OUT_TEXT, shown);
  const char *told = hf_hub_text(c, "Running `%s`", shown);
  TRY(told ? hf_hub_say(hub->out, c, HF_OUT_TEXT, told) : HF_ENOMEM);
  char **env = hf_hub_clean_environment(c);
  pid_t pid;
  int status = 0, err = env ? posix_spawnp(&pid, "ssh", NULL, NULL, (char *const *)(uintptr_t)argv, env) : ENOMEM;
  if (err) return hf_hub_fail(c, HF_EIO, "FileNotFoundError", "[Errno %d] %s: 'ssh'", err, strerror(err));
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return hf_hub_fail(c, HF_EIO, NULL, "ssh could not be waited for: %s.", strerror(errno));
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  if (!code) return HF_OK;
  return hf_host()->fail(
      c, &(struct hf_error){
             .struct_size = sizeof(struct hf_error), .code = HF_EIO, .cls = "Exit", .sys_errno = code, .message = ""});
}
