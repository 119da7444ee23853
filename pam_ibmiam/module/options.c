/* Arguments in /etc/pam.d.  See options.h. */
#include "options.h"

#include <security/pam_ext.h>
#include <syslog.h>

bool options_parse(pam_handle_t *pamh, int argc, const char **argv, struct options *ret)
{
	const char *wrong, *fault = module_options_read((size_t)argc, argv, ret, &wrong);

	if (fault)
		pam_syslog(pamh, LOG_ERR, "option \"%.100s\" %s; every call is refused until /etc/pam.d is "
			   "corrected", wrong, fault);
	return !fault;
}
