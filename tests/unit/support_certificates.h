/* Certificates for tests of TLS: an authority and what it signs, as PEM files. */
#ifndef TRANSHUME_UNIT_SUPPORT_CERTIFICATES_H
#define TRANSHUME_UNIT_SUPPORT_CERTIFICATES_H

struct test_authority;

/* An authority of its own; ca.pem is in `folder`. */
struct test_authority *test_authority_create(const char *folder);
void test_authority_destroy(struct test_authority *authority);
const char *test_authority_file(const struct test_authority *authority);
/* FOLDER/NAME.pem, certificate and key, for `alternatives` ("DNS:localhost,IP:127.0.0.1"), valid
 * for these days from now on (below 0: expired). The path lives as long as the authority. */
const char *test_authority_sign(struct test_authority *authority, const char *name,
                                const char *alternatives, int days);

#endif
