# The Debian package.  Built from a copy of the sources, so that nothing is left in the tree,
# and without the variables that this make was given: BUILD is not that of the copy.
DEB := $(abspath $(BUILD))/deb

deb: deps
	@tests/deps build-essential debhelper
	@rm -rf $(DEB) && mkdir -p $(DEB)/source
	@tar --exclude-vcs --exclude='./build*' --exclude='./$(BUILD)' --exclude=__pycache__ -c . | tar -x -C $(DEB)/source
	cd $(DEB)/source && env -u MAKEFLAGS dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary
	@rm -rf $(DEB)/source
	@ls $(DEB)/*.deb

# Built, installed, used, upgraded, removed and purged in clean systems of its own: minutes,
# root, and a Debian mirror.
check-package:
	@tests/deps debootstrap lintian systemd-container
	@BUILD=$(abspath $(BUILD)) prove --exec '' --verbose tests/package/check

.PHONY: deb check-package
