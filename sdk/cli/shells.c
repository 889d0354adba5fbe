/* shells.c - the scripts that make bash, zsh and fish ask `hf __complete`, and where they are installed.
 * The scripts know nothing of commands; what can be completed is always what the installed program has.
 * The activation line in a shell's start file is the reference client's, so either program serves it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

static const char bash_script[] =
    "# bash completion for hf\n"
    "_hf_completion() {\n"
    "  local line cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
    "  COMPREPLY=()\n"
    "  [ \"$cur\" = \"=\" ] && cur=\"\"\n"
    "  while IFS= read -r line; do\n"
    "    if [ \"$line\" = \":file\" ]; then\n"
    "      compopt -o filenames 2>/dev/null\n"
    "      while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- \"$cur\")\n"
    "    else\n"
    "      COMPREPLY+=(\"${line%%$'\\t'*}\")\n"
    "    fi\n"
    "  done < <(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _hf_completion hf\n";

static const char zsh_script[] =
    "#compdef hf\n"
    "_hf() {\n"
    "  local line word help\n"
    "  local -a lines items\n"
    "  lines=(\"${(@f)$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "  for line in \"${lines[@]}\"; do\n"
    "    if [[ \"$line\" == \":file\" ]]; then\n"
    "      _files\n"
    "    elif [[ -n \"$line\" ]]; then\n"
    "      word=\"${line%%$'\\t'*}\"\n"
    "      help=\"\"\n"
    "      [[ \"$line\" == *$'\\t'* ]] && help=\"${line#*$'\\t'}\"\n"
    "      items+=(\"${word//:/\\\\:}${help:+:$help}\")\n"
    "    fi\n"
    "  done\n"
    "  (( ${#items} )) && _describe -V hf items\n"
    "}\n"
    "if [[ \"${funcstack[1]}\" == \"_hf\" ]]; then\n"
    "  _hf \"$@\"\n"
    "else\n"
    "  compdef _hf hf\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion for hf\n"
    "function __hf_complete\n"
    "  set -l words (commandline -opc)\n"
    "  set -l current (commandline -ct)\n"
    "  for line in (command $words[1] __complete $words[2..-1] \"$current\" 2>/dev/null)\n"
    "    if test \"$line\" = \":file\"\n"
    "      __fish_complete_path \"$current\"\n"
    "    else\n"
    "      echo $line\n"
    "    end\n"
    "  end\n"
    "end\n"
    "complete -c hf -f -a '(__hf_complete)'\n";

const char *cli_completion_script(const char *shell) {
  if (!strcmp(shell, "bash")) return bash_script;
  if (!strcmp(shell, "zsh")) return zsh_script;
  return strcmp(shell, "fish") ? NULL : fish_script;
}

hf_status cli_task_completion(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  const char *shell = cli_host->arg_str(args, "shell", 0), *script = shell ? cli_completion_script(shell) : NULL;
  if (!script) return cli_host->failf(c, HF_EINVAL, "There is no completion for the shell %s.", shell ? shell : "");
  return cli_host->record(out, HF_OUT_BYTES, script, strlen(script));
}

static const char *current_shell(void) {
  const char *path = getenv("SHELL"), *slash = path ? strrchr(path, '/') : NULL;
  const char *name = slash ? slash + 1 : path;
  return name && *name ? name : "bash";
}

static int no_such_shell(const char *shell) {
  fprintf(stderr, "Error: Shell '%s' is not supported for completion.\n", shell);
  return CLI_FAILED;
}

int cli_show_completion(void) {
  const char *shell = current_shell(), *script = cli_completion_script(shell);
  if (!script) return no_such_shell(shell);
  puts(script);
  return CLI_OK;
}

static void make_parents(const char *path) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", path);
  for (char *c = folder + 1; (c = strchr(c, '/')); c++) {
    *c = 0;
    (void)mkdir(folder, 0755); /* what is missing shows when the file is opened */
    *c = '/';
  }
}

static bool file_has(const char *path, const char *text) {
  char *line = NULL;
  size_t room = 0;
  bool found = false;
  FILE *f = fopen(path, "re");
  while (f && !found && getline(&line, &room, f) >= 0) found = strstr(line, text) != NULL;
  free(line);
  if (f) fclose(f);
  return found;
}

int cli_install_completion(void) {
  const char *shell = current_shell(), *script = cli_completion_script(shell), *home = getenv("HOME");
  char path[4096], activation[128];
  bool fish = !strcmp(shell, "fish");
  if (!script) return no_such_shell(shell);
  snprintf(path, sizeof path, "%s/%s", home ? home : "",
           fish                    ? ".config/fish/completions/hf.fish"
           : !strcmp(shell, "zsh") ? ".zshrc"
                                   : ".bashrc");
  snprintf(activation, sizeof activation, "eval \"$(_HF_COMPLETE=%s_source hf)\"", shell);
  make_parents(path);
  if (fish || !file_has(path, activation)) {
    FILE *f = fopen(path, fish ? "we" : "ae");
    bool failed = !f || (fish ? fputs(script, f) : fprintf(f, "\n%s\n", activation)) < 0;
    if (f && fclose(f)) failed = true;
    if (failed) {
      fprintf(stderr, "Error: Writing %s failed: %s.\n", path, strerror(errno));
      return CLI_FAILED;
    }
  }
  printf("%s completion installed in %s. Restart your shell for it to take effect.\n", shell, path);
  return CLI_OK;
}
