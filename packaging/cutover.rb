# The formula of Homebrew; scripts/release-pack fills it in.
class Cutover < Formula
  desc "Blue-green releases of compose services behind nginx, over SSH"
  homepage "https://github.com/@REPOSITORY@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "https://github.com/@REPOSITORY@/releases/download/v@VERSION@/cutover-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256-aarch64-apple-darwin@"
    end
    on_intel do
      url "https://github.com/@REPOSITORY@/releases/download/v@VERSION@/cutover-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256-x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/@REPOSITORY@/releases/download/v@VERSION@/cutover-@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256-aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "https://github.com/@REPOSITORY@/releases/download/v@VERSION@/cutover-@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256-x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install "cutover"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/cutover.bash" => "cutover"
    zsh_completion.install "completions/_cutover"
    fish_completion.install "completions/cutover.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/cutover --version")
  end
end
