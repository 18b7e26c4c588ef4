/* Checksums of migrations and of their statements. */
#ifndef TRANSHUME_EVOLVE_FOLDER_CHECKSUM_H
#define TRANSHUME_EVOLVE_FOLDER_CHECKSUM_H

#include <stddef.h>

enum { MIGRATION_CHECKSUM_SIZE = 72 };

/*
 * "s1:" and the SHA-256 of the text in hexadecimal digits. A byte order mark at the beginning, the
 * kind of line breaks, and whether one stands at the very end do not count; all else does, comments
 * and blanks too. The rule goes by its name: another rule will be "s2".
 */
void migration_checksum(const char *text, size_t length, char checksum[MIGRATION_CHECKSUM_SIZE]);

#endif
