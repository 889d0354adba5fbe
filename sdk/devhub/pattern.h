/* pattern.h - the patterns of .gitignore and .gitattributes.
 * `*` and `?` stay within a folder, `**` crosses folders, a pattern without a slash is for names in any folder.
 * The work of a match is bounded, whatever the pattern. */
#ifndef DEVHUB_PATTERN_H
#define DEVHUB_PATTERN_H
#include <stdbool.h>

bool dh_pattern_match(const char *pattern, const char *path);
bool dh_gitignore_match(const char *rules, const char *path);   /* the text of a .gitignore: is this path left out? */
bool dh_gitattributes_lfs(const char *rules, const char *path); /* the text of a .gitattributes: does LFS keep it? */
#endif
