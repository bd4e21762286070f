module MCollective
  module Agent
    class Deploy < RPC::Agent
      action 'release' do
        validate :application, String
        reply[:status] = run("/usr/local/bin/release #{request[:application]}", :stdout => :out, :stderr => :err)
      end
    end
  end
end
