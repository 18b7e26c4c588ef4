/* Declarations that readers of other tools' folders share. */
#ifndef TRANSHUME_EVOLVE_FOLDER_FOREIGN_H
#define TRANSHUME_EVOLVE_FOLDER_FOREIGN_H

#include "evolve/folder/folder.h"

/* The entries of a folder that are not hidden, sorted by bytes. STATUS_END: it is not there. */
enum status foreign_list(const char *folder, struct arena *arena, char *const **names,
                         uint32_t *count, struct error *error) MUST_USE;

/* Paths below the folder, in its arena, in the order of a walk: "a.sql", "sub/b.sql". */
struct foreign_files {
    const char **names;
    uint32_t count;
    uint32_t capacity;
};

/* All files in the folder and those below it, down to eight levels, whose names end with `ending`;
 * "": all. None if the folder is not there. */
enum status foreign_walk(struct migration_reader *reader, const char *ending,
                         struct foreign_files *files, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- names */

bool foreign_begins(const char *text, const char *with);
/* "a/b.sql", a file of the folder. */
bool foreign_exists(const struct migration_reader *reader, const char *name);

/* ---------------------------------------------------------------- lines */

/* One line; zeroed, it stands before the first. */
struct foreign_line {
    const char *text;
    size_t length; /* without its end */
    size_t begin;
    size_t end; /* behind its end */
    uint32_t number;
};

bool foreign_next_line(const char *text, size_t length, struct foreign_line *line);
/* Is the line, but for blanks around it, `word`? Case does not count. */
bool foreign_is_line(const struct foreign_line *line, const char *word);
/* Is there a line that begins with `word`? */
bool foreign_has_line(const char *text, size_t length, const char *word);

/* ---------------------------------------------------------------- texts */

/* A fault of a file; `hint` may be NULL. The file counts as told (migration_note_told). */
void foreign_fault(struct migration_reader *reader, const char *path, uint32_t line,
                   const char *hint, const char *what);
/* The hexadecimal digest of bytes, "SHA256", "SHA1", "MD5". */
const char *foreign_digest(const char *algorithm, const char *bytes, size_t length,
                           struct arena *arena);
/* Reads a small file of the folder; `*text` NULL: there is none. */
enum status foreign_read(struct migration_reader *reader, const char *name, char **text,
                         size_t *length, struct error *error) MUST_USE;
/* Makes the text one of its own that may be changed: lines, columns and the checksum stay. */
char *foreign_own(struct migration_text *text, struct arena *arena);
/* Overwrites bytes with blanks; line ends stay. */
void foreign_blank(char *text, size_t begin, size_t end);
/* Blanks lines that are BEGIN, COMMIT or ROLLBACK alone: what they bound is one transaction here.
 */
void foreign_blank_transactions(char *text, size_t length);

/* ---------------------------------------------------------------- orders */

/* Adds a version to those that have to stand. */
void foreign_require(struct migration_options *options, const char *version, struct arena *arena);
/* Puts what is required in front of what requires it; else the order stays. Circles are faults. */
enum status foreign_order(struct migration_reader *reader, struct error *error) MUST_USE;

#endif
