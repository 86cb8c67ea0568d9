# What Homebrew gives a formula, as far as this one asks for it: homebrew.rb FORMULA, for the target MACHINE, into INTO.
class Place
  def initialize(path) = @path = path
  def install(what)
    what = { what => File.basename(what) } if what.is_a?(String)
    what = what.to_h { |file| [file, File.basename(file)] } if what.is_a?(Array)
    what.each { |from, to| system("install", "-D", from, File.join(@path, to)) || abort("no #{from}") }
  end
  def to_s = @path
end
class Formula
  class << self
    attr_reader :said
    %i[desc homepage version url sha256 license].each { |name| define_method(name) { |word| (@said ||= {})[name] = word } }
    { on_macos: "darwin", on_linux: "linux", on_arm: "aarch64", on_intel: "x86_64" }.each do |name, mine|
      define_method(name) { |&block| block.call if ENV.fetch("MACHINE").include?(mine) }
    end
    def test = nil
  end
  %i[bin man1 bash_completion zsh_completion fish_completion].each { |name| define_method(name) { Place.new("#{ENV.fetch("INTO")}/#{name}") } }
end
load ARGV[0]
puts Cutover.said[:url], Cutover.said[:sha256]
Cutover.new.install
