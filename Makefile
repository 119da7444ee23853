# pam_ibmiam: builds into $(BUILD), installs below $(DESTDIR).
#   make            module, broker and command         make check    all tests
#   make install    also: uninstall                    make demo     a real SSH login
#   make clean                                         make bench    what a login costs
#   make check-sanitize, analyze, coverage, fuzz and load: slower looks at the code
#   make deb        the Debian package                 make check-package   its whole life
# check and demo install the Debian packages that are missing (as root) and build first.

VERSION   := 0.1.0
BUILD     := build
# By one name: the headers that an object needs are noted under the name that it was made by.
override BUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(BUILD)))
PREFIX    := /usr
SYSCONF   := /etc
BINDIR    := $(PREFIX)/bin
LIBEXEC   := $(PREFIX)/libexec
BASHDIR   := $(PREFIX)/share/bash-completion/completions
ZSHDIR    := $(PREFIX)/share/zsh/vendor-completions
DOC       := $(PREFIX)/share/doc/pam_ibmiam
MAN       := $(PREFIX)/share/man
UNITDIR   := $(PREFIX)/lib/systemd/system
SYSUSERS  := $(PREFIX)/lib/sysusers.d
TMPFILES  := $(PREFIX)/lib/tmpfiles.d
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
PAMDIR    := $(PREFIX)/lib/$(MULTIARCH)/security

WARN := -Wall -Wextra -Wshadow -Wconversion -Wcast-qual -Wwrite-strings -Wundef -Wvla \
	-Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough \
	-Wpointer-arith -Wnull-dereference $(if $(WERROR),-Werror)
# Hardening as for any program in front of a login; a test checks that it is really on.
X86_64 := $(filter x86_64%,$(MULTIARCH))
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
	$(X86_64:%=-fcf-protection)
CFLAGS  := -O2 -g
LDFLAGS :=
INSTALL := install

ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Ipam_ibmiam/common -fPIC -fvisibility=hidden \
	-ffunction-sections -fdata-sections $(WARN) $(HARDEN) $(SANITIZE) $(CFLAGS) \
	-DIBMIAM_VERSION='"$(VERSION)"' -DIBMIAM_BROKER_PATH='"$(LIBEXEC)/ibmiam-broker"' \
	-DIBMIAM_CONFIG_PATH='"$(SYSCONF)/security/ibmiam.conf"'
ALL_LDFLAGS := -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs$(X86_64:%=,-z,shstk) -Wl,--as-needed -Wl,--gc-sections \
	$(SANITIZE) $(LDFLAGS)

Q   := $(if $(V),,@)# make V=1 shows the commands
say  = @printf '  %-5s %s\n' $(1) $@

objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard pam_ibmiam/$(1)/*.c))
# libcrypto first: most of libcurl's symbols are looked up there.
BROKER_LIBS := -lcrypto -lcurl -lcjson -lconfuse -lseccomp
COMMON := $(call objects,common)
MODULE := $(call objects,module)
BROKER := $(call objects,broker)
TOOL   := $(call objects,tool)
MANUAL := $(foreach s,1 5 8,$(patsubst conf/man/%,man$(s)/%,$(wildcard conf/man/*.$(s))))
UNITS  := $(wildcard conf/systemd/*.socket conf/systemd/*.service)

all: $(BUILD)/pam_ibmiam.so $(BUILD)/ibmiam-broker $(BUILD)/ibmiam

$(BUILD)/pam_ibmiam.so: $(MODULE) $(COMMON)
	$(call say,LINK)
	$(Q)$(CC) -shared $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lpam

$(BUILD)/ibmiam-broker: $(BROKER) $(COMMON)
	$(call say,LINK)
	$(Q)$(CC) -pie $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(BROKER_LIBS)

$(BUILD)/ibmiam: $(TOOL) $(COMMON)
	$(call say,LINK)
	$(Q)$(CC) -pie $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The paths are compiled in: objects made with others must not be reused.
FLAGS := $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(call quote,$(FLAGS)) | cmp -s - $@ || printf '%s\n' $(call quote,$(FLAGS)) >$@
quote = '$(subst ','\'',$(1))'

-include $(patsubst %.o,%.d,$(COMMON) $(MODULE) $(BROKER) $(TOOL))

install: all
	$(INSTALL) -d $(DESTDIR)$(PAMDIR) $(DESTDIR)$(LIBEXEC) $(DESTDIR)$(DOC)/pam.d $(DESTDIR)$(DOC)/sudoers.d \
		$(DESTDIR)$(BINDIR) $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) \
		$(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERS) $(DESTDIR)$(TMPFILES) $(DESTDIR)$(SYSCONF)/security
	test -d $(DESTDIR)$(SYSCONF)/security/ibmiam.conf.d || \
		$(INSTALL) -d -m 0750 $(DESTDIR)$(SYSCONF)/security/ibmiam.conf.d
	$(INSTALL) -s -m 0644 $(BUILD)/pam_ibmiam.so $(DESTDIR)$(PAMDIR)/pam_ibmiam.so
	$(INSTALL) -s -m 0755 $(BUILD)/ibmiam-broker $(DESTDIR)$(LIBEXEC)/ibmiam-broker
	$(INSTALL) -s -m 0755 $(BUILD)/ibmiam $(DESTDIR)$(BINDIR)/ibmiam
	$(INSTALL) -m 0644 conf/completions/ibmiam.bash $(DESTDIR)$(BASHDIR)/ibmiam
	$(INSTALL) -m 0644 conf/completions/_ibmiam $(DESTDIR)$(ZSHDIR)/_ibmiam
	$(INSTALL) -m 0644 $(UNITS) $(DESTDIR)$(UNITDIR)
	$(INSTALL) -m 0644 conf/sysusers.d/ibmiam.conf $(DESTDIR)$(SYSUSERS)/ibmiam.conf
	$(INSTALL) -m 0644 conf/tmpfiles.d/ibmiam.conf $(DESTDIR)$(TMPFILES)/ibmiam.conf
	sed -i 's,/usr/libexec/,$(LIBEXEC)/,;s,/etc/security/,$(SYSCONF)/security/,' \
		$(UNITS:conf/systemd/%=$(DESTDIR)$(UNITDIR)/%) $(DESTDIR)$(TMPFILES)/ibmiam.conf
	$(INSTALL) -m 0644 README.md SECURITY.md CONTRIBUTING.md LICENSE $(DESTDIR)$(DOC)
	$(INSTALL) -m 0644 conf/pam.d/* $(DESTDIR)$(DOC)/pam.d
	$(INSTALL) -m 0644 conf/sudoers.d/* $(DESTDIR)$(DOC)/sudoers.d
	$(INSTALL) -d $(DESTDIR)$(MAN)/man1 $(DESTDIR)$(MAN)/man5 $(DESTDIR)$(MAN)/man8
	$(INSTALL) -m 0644 conf/man/*.1 $(DESTDIR)$(MAN)/man1
	$(INSTALL) -m 0644 conf/man/*.5 $(DESTDIR)$(MAN)/man5
	$(INSTALL) -m 0644 conf/man/*.8 $(DESTDIR)$(MAN)/man8
	sed -i 's,/usr/libexec/,$(LIBEXEC)/,g;s,/etc/security/,$(SYSCONF)/security/,g;s,/usr/share/doc/pam_ibmiam,$(DOC),g' \
		$(MANUAL:%=$(DESTDIR)$(MAN)/%)
	test -e $(DESTDIR)$(SYSCONF)/security/ibmiam.conf || \
		$(INSTALL) -m 0640 conf/ibmiam.conf $(DESTDIR)$(SYSCONF)/security/ibmiam.conf
	@# The resident broker, which reads them anew when they change, is no longer root then.
	test -n '$(DESTDIR)' || ! getent group _ibmiam >/dev/null || \
		chgrp _ibmiam $(SYSCONF)/security/ibmiam.conf $(SYSCONF)/security/ibmiam.conf.d

# The configuration stays: it is the admin's.
uninstall:
	rm -f $(DESTDIR)$(PAMDIR)/pam_ibmiam.so $(DESTDIR)$(LIBEXEC)/ibmiam-broker \
		$(UNITS:conf/systemd/%=$(DESTDIR)$(UNITDIR)/%) \
		$(DESTDIR)$(SYSUSERS)/ibmiam.conf $(DESTDIR)$(TMPFILES)/ibmiam.conf
	rm -f $(DESTDIR)$(BINDIR)/ibmiam $(DESTDIR)$(BASHDIR)/ibmiam $(DESTDIR)$(ZSHDIR)/_ibmiam
	rm -f $(MANUAL:%=$(DESTDIR)$(MAN)/%)
	rm -rf $(DESTDIR)$(DOC)

clean:
	rm -rf $(BUILD)

include tests/tests.mk

FORCE:
.PHONY: all install uninstall clean FORCE
