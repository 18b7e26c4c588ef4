/* Who may say what a run does: the user, by the command line and the environment; and files, as far
 * as nobody but the user and root may write them. */
#ifndef TRANSHUME_BASE_TRUST_H
#define TRANSHUME_BASE_TRUST_H

#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* The user's word for each. It is set before there are other threads. */
struct trust {
    bool files;     /* --trust-files */
    bool commands;  /* --allow-commands */
    bool plaintext; /* --allow-plaintext */
};
void trust_set(const struct trust *said);
bool trust_takes_files(void);
/* May a file that says what a run does name commands, and have other files' contents sent? */
bool trust_allows_commands(void);
/* May alerts go to other machines unencrypted? */
bool trust_allows_plaintext(void);

/*
 * file_read_all of a file that steers a run: a plan, a file of connections, alerts, settings or a
 * migration. It, or a symbolic link on it, must be the user's or root's, and nobody else may write
 * it but a group that is its owner's alone; in its folder not everybody may rename what others
 * made. ERROR_FILE_UNTRUSTED otherwise, unless all files are trusted.
 */
enum status trust_read_file(const char *path, size_t limit_bytes, struct arena *arena, char **bytes,
                            size_t *length, struct error *error) MUST_USE;
/* error_recode of a failure to read such a file, which keeps ERROR_FILE_UNTRUSTED. */
enum status trust_recode(struct error *error, enum error_code code);
/* Are a folder's owner and mode as trust_read_file wants those of a file? One that is not there is
 * fine: whoever makes it owns it. */
enum status trust_check_folder(const char *path, struct error *error) MUST_USE;

/*
 * A URI that a file says, and not the user: what of its options loads a library or starts a program
 * is refused wherever it is read. Any thread.
 */
void trust_note_uri(const char *uri);
/* Does `uri` begin with one of these? Options may have been added to it. */
bool trust_is_noted_uri(const char *uri);

#endif
